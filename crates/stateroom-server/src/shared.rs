//! What the shards of a server have in common: its settings, its clock, its counts.

use crate::{
    by_reason::ByReason,
    clock::Clock,
    compressor::Compressor,
    config::ServerConfig,
    connection::ReadLimits,
    connections::Connections,
    counters::Totals,
    descriptors,
    fair_share::FairShare,
    health::{Failure, Health},
    occupancy::Occupancy,
    per_second::PerSecond,
    queue::QueueLimits,
    queued::Queued,
    sometimes::ClientLines,
    unfinished::Unfinished,
    websocket::CloseCode,
};
use stateroom_room::session::SessionSettings;
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// As good as for ever, and little enough to be added to any moment.
pub(crate) const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Shared by everything in a server; nothing here is on a message's way but what never changes.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: ServerConfig,
    pub(crate) clock: Clock,
    /// When the server began.
    pub(crate) started: Instant,
    pub(crate) occupancy: Occupancy,
    pub(crate) health: Arc<Health>,
    pub(crate) connections: Arc<Connections>,
    pub(crate) read_limits: ReadLimits,
    pub(crate) queue_limits: QueueLimits,
    /// What sessions may take, in each room.
    pub(crate) sessions: SessionSettings,
    /// What the sessions of all rooms keep, to be said again.
    pub(crate) retained: Arc<FairShare>,
    /// How many clients with sessions may come.
    pub(crate) resumes: PerSecond,
    pub(crate) compressor: Compressor,
    pub(crate) client_lines: ClientLines,
    /// What was counted on messages' way.
    pub(crate) totals: Arc<Totals>,
    /// Requests that were refused.
    pub(crate) refusals: ByReason,
    /// Events that services failed at, by [`summary`](stateroom::ServiceFailure::summary).
    pub(crate) failed_events: ByReason,
    /// How often the pages have changed since the server began.
    pub(crate) page_version: watch::Sender<u64>,
    /// Whether new rooms hear HTTP requests.
    pub(crate) hears_requests: AtomicBool,
    dropped_log_lines: Arc<AtomicU64>,
}

impl Shared {
    /// Takes the settings, lowered to what the machine can hold and its clock can tell, for a server of so
    /// many threads. Whoever writes the log counts in `dropped_log_lines`.
    pub(crate) fn new(
        mut config: ServerConfig,
        threads: usize,
        dropped_log_lines: Arc<AtomicU64>,
    ) -> io::Result<Self> {
        config.max_connections = config.max_connections.min(descriptors::for_connections(threads));
        let connections = Connections::new(config.max_connections);
        config.max_clients = config.max_clients.min(connections.most_admitted());
        for time in [
            &mut config.empty_room_timeout,
            &mut config.flush_window,
            &mut config.sleep_after,
            &mut config.hibernate_after,
            &mut config.reconnect_timeout,
            &mut config.session_grace,
            &mut config.slow_reader_timeout,
            &mut config.closing_timeout,
            &mut config.http_stall_timeout,
            &mut config.request_timeout,
            &mut config.shutdown_timeout,
            &mut config.log_rooms_every,
        ] {
            *time = (*time).min(FOR_EVER);
        }
        let health = Arc::new(Health::default());
        let totals = Arc::new(Totals::new(threads));
        let compressor = Compressor::start(&health, totals.clone())?;
        let read_limits = ReadLimits {
            message_bytes: config.max_message_bytes,
            unfinished: Arc::new(Unfinished::new(config.max_unfinished_bytes)),
        };
        let queue_limits = QueueLimits {
            bytes: config.max_queue_bytes,
            stall: config.slow_reader_timeout,
            all: Arc::new(Queued::new(config.max_queued_bytes)),
        };
        let sessions = SessionSettings {
            grace: config.session_grace,
            retained_bytes: config.max_retained_bytes_per_room,
            largest_message: config.max_message_bytes,
            ..SessionSettings::default()
        };
        let resumes = PerSecond::new(config.max_resumes_per_second);
        let retained = Arc::new(FairShare::new(config.max_retained_bytes));
        Ok(Shared {
            config,
            clock: Clock::start(),
            started: Instant::now(),
            occupancy: Occupancy::new(),
            health,
            connections: Arc::new(connections),
            read_limits,
            queue_limits,
            sessions,
            retained,
            resumes,
            compressor,
            client_lines: ClientLines::default(),
            totals,
            refusals: ByReason::default(),
            failed_events: ByReason::default(),
            page_version: watch::Sender::new(0),
            hears_requests: AtomicBool::new(false),
            dropped_log_lines,
        })
    }

    /// How many lines of the log could not be written.
    pub(crate) fn dropped_log_lines(&self) -> u64 {
        self.dropped_log_lines.load(Relaxed)
    }

    /// What clients are told when the server ends.
    pub(crate) fn closing(&self) -> (CloseCode, &'static str) {
        match self.health.failure() {
            None => (CloseCode::GOING_AWAY, "the server is shutting down"),
            Some(Failure::Store(_)) => {
                (CloseCode::SERVICE_RESTART, "the server restarts: its disk has failed")
            }
            Some(Failure::Panicked { .. } | Failure::Ended { .. }) => {
                (CloseCode::SERVICE_RESTART, "the server restarts")
            }
        }
    }
}
