//! How far a run has come, and what its threads have in common, by which that is known.

use crate::{Plan, clock::Clock, stamp::Marker};
use std::{
    net::SocketAddr,
    sync::{
        OnceLock,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// How far a run has come.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// What it is doing.
    pub phase: Phase,
    /// How long it has been running.
    pub elapsed: Duration,
    /// Connections opened so far.
    pub connected: u64,
    /// Connections that are open.
    pub open: u64,
    /// Messages sent so far.
    pub sent: u64,
    /// Messages that have come so far.
    pub delivered: u64,
    /// Connections that have failed.
    pub failed: u64,
}

/// What a run is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Opening connections.
    Connecting,
    /// Sending, but not measuring yet.
    WarmingUp,
    /// Measuring.
    Measuring,
    /// Waiting for the last answers.
    Finishing,
}

/// What the threads of a run have in common.
#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) clock: Clock,
    pub(crate) address: SocketAddr,
    pub(crate) marker: Marker,
    /// How many threads have opened all their connections.
    pub(crate) ready: AtomicU32,
    /// When sending begins; not set while connections are being opened.
    pub(crate) begin: OnceLock<u64>,
    pub(crate) connected: AtomicU64,
    pub(crate) open: AtomicU64,
    pub(crate) sent: AtomicU64,
    pub(crate) delivered: AtomicU64,
    pub(crate) failed: AtomicU64,
}

impl Common {
    pub(crate) fn new(address: SocketAddr) -> Common {
        Common {
            address,
            clock: Clock::start(),
            marker: Marker::random(),
            ready: AtomicU32::new(0),
            begin: OnceLock::new(),
            connected: AtomicU64::new(0),
            open: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }
    }

    /// How far a run of `plan` is.
    pub(crate) fn progress(&self, plan: &Plan) -> Progress {
        let elapsed = Duration::from_nanos(self.clock.now());
        let since =
            self.begin.get().map(|begin| elapsed.saturating_sub(Duration::from_nanos(*begin)));
        let phase = match since {
            None => Phase::Connecting,
            Some(since) if since < plan.warmup => Phase::WarmingUp,
            Some(since) if since < plan.warmup + plan.duration => Phase::Measuring,
            Some(_) => Phase::Finishing,
        };
        Progress {
            phase,
            elapsed,
            connected: self.connected.load(Relaxed),
            open: self.open.load(Relaxed),
            sent: self.sent.load(Relaxed),
            delivered: self.delivered.load(Relaxed),
            failed: self.failed.load(Relaxed),
        }
    }
}
