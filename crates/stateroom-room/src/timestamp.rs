//! A moment, as whoever drives a room counts time.

use std::time::Duration;

/// Time since some moment that the driver chose; it must never go backwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(Duration);

impl Timestamp {
    /// The moment `elapsed` after the driver's origin.
    #[must_use]
    pub const fn from_origin(elapsed: Duration) -> Self {
        Timestamp(elapsed)
    }

    /// The time since the driver's origin.
    #[must_use]
    pub const fn since_origin(self) -> Duration {
        self.0
    }

    /// This moment and `milliseconds` more; the end of time where that would overflow.
    #[must_use]
    pub const fn after_milliseconds(self, milliseconds: u32) -> Self {
        Timestamp(self.0.saturating_add(Duration::from_millis(milliseconds as u64)))
    }
}
