//! Where a guest's clock and randomness come from: a source that the host owns, so that it can be
//! recorded, replayed, and made deterministic in tests.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

/// The clock and the randomness of one room.
pub trait GuestSource: Send {
    /// The time of day, since 1970-01-01 00:00 UTC.
    fn wall_clock(&mut self) -> Duration;

    /// A time that never goes back, since a moment of the source's choice.
    fn monotonic_clock(&mut self) -> Duration;

    /// Fills `bytes` with random values.
    ///
    /// # Errors
    /// When there is no randomness to be had. The guest sees an I/O error then.
    fn random(&mut self, bytes: &mut [u8]) -> io::Result<()>;
}

/// Makes the source of the room of the given id.
pub type SourceFactory = Arc<dyn Fn(&str) -> Box<dyn GuestSource> + Send + Sync>;

/// The clock and the randomness of the operating system. The monotonic clock starts with the room,
/// so it tells nothing about the machine.
#[derive(Debug, Clone)]
pub struct SystemSource {
    started: Instant,
}

impl SystemSource {
    /// A source whose monotonic clock starts now.
    #[must_use]
    pub fn new() -> Self {
        SystemSource { started: Instant::now() }
    }
}

impl Default for SystemSource {
    fn default() -> Self {
        Self::new()
    }
}

impl GuestSource for SystemSource {
    fn wall_clock(&mut self) -> Duration {
        // A machine whose clock stands before 1970 has no better answer than 1970.
        SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default()
    }

    fn monotonic_clock(&mut self) -> Duration {
        self.started.elapsed()
    }

    fn random(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        getrandom::fill(bytes).map_err(io::Error::other)
    }
}
