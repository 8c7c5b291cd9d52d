//! What the shards of a server have in common: its settings, its clock, its counts.

use crate::{
    ServerConfig, census::Census, clock::Clock, compressor::Compressor, descriptors,
    sometimes::Sometimes,
};
use std::{
    io,
    time::{Duration, Instant},
};

/// As good as for ever, and little enough to be added to any moment.
pub(crate) const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Shared by everything in a server; nothing here is on a message's way but what never changes.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: ServerConfig,
    pub(crate) clock: Clock,
    /// When the server began.
    pub(crate) started: Instant,
    pub(crate) census: Census,
    pub(crate) compressor: Compressor,
    /// When to tell of clients that were turned away.
    pub(crate) turned_away: Sometimes,
    /// And of events that failed.
    pub(crate) events_failed: Sometimes,
}

impl Shared {
    /// Takes the settings, lowered to what the machine can hold and its clock can tell.
    pub(crate) fn new(mut config: ServerConfig) -> io::Result<Self> {
        config.max_clients = config.max_clients.min(descriptors::room_for_clients());
        for time in [
            &mut config.empty_room_timeout,
            &mut config.flush_window,
            &mut config.sleep_after,
            &mut config.hibernate_after,
            &mut config.reconnect_timeout,
            &mut config.shutdown_timeout,
            &mut config.log_rooms_every,
        ] {
            *time = (*time).min(FOR_EVER);
        }
        let compressor = Compressor::start()?;
        Ok(Shared {
            config,
            clock: Clock::start(),
            started: Instant::now(),
            census: Census::new(),
            compressor,
            turned_away: Sometimes::default(),
            events_failed: Sometimes::default(),
        })
    }
}
