//! What the shards of a server have in common: its settings, its clock, its counts.

use crate::{ServerConfig, census::Census, clock::Clock, compressor::Compressor, descriptors};
use std::io;

/// Shared by everything in a server; nothing here is on a message's way but what never changes.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: ServerConfig,
    pub(crate) clock: Clock,
    pub(crate) census: Census,
    pub(crate) compressor: Compressor,
}

impl Shared {
    /// Takes the settings, lowered to what the machine can hold.
    pub(crate) fn new(mut config: ServerConfig) -> io::Result<Self> {
        config.max_clients = config.max_clients.min(descriptors::room_for_clients());
        let compressor = Compressor::start()?;
        Ok(Shared { config, clock: Clock::start(), census: Census::new(), compressor })
    }
}
