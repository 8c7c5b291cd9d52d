//! A moment, as whoever drives a room counts time.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Time since 1970-01-01 00:00 UTC, as the driver's clock tells it. A room's own time never goes
/// backwards, whatever the driver says.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Timestamp(Duration);

impl Timestamp {
    /// The moment `elapsed` after the origin.
    #[must_use]
    pub const fn from_origin(elapsed: Duration) -> Self {
        Timestamp(elapsed)
    }

    /// The time since the origin.
    #[must_use]
    pub const fn since_origin(self) -> Duration {
        self.0
    }

    /// The time since the origin in nanoseconds, as stores keep it; the year 2554 is the last it can
    /// tell.
    #[must_use]
    pub const fn nanoseconds(self) -> u64 {
        let nanoseconds = self.0.as_nanos();
        if nanoseconds > u64::MAX as u128 { u64::MAX } else { nanoseconds as u64 }
    }

    /// The last whole microsecond: the grain of a room's time.
    pub(crate) const fn in_whole_microseconds(self) -> Self {
        Timestamp(Duration::from_micros(self.microseconds()))
    }

    /// In microseconds; the year 586,000 is the last it can tell.
    pub(crate) const fn microseconds(self) -> u64 {
        let microseconds = self.0.as_micros();
        if microseconds > u64::MAX as u128 { u64::MAX } else { microseconds as u64 }
    }

    pub(crate) const fn from_microseconds(microseconds: u64) -> Self {
        Timestamp(Duration::from_micros(microseconds))
    }

    /// This moment and `time` more; the end of time where that would overflow.
    #[must_use]
    pub const fn after(self, time: Duration) -> Self {
        Timestamp(self.0.saturating_add(time))
    }

    /// The moment `time` before this one; the origin where there is none.
    #[must_use]
    pub const fn before(self, time: Duration) -> Self {
        Timestamp(self.0.saturating_sub(time))
    }

    /// How long this is after `earlier`; nothing where it is not.
    #[must_use]
    pub const fn since(self, earlier: Timestamp) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// This moment and `milliseconds` more; the end of time where that would overflow.
    #[must_use]
    pub const fn after_milliseconds(self, milliseconds: u32) -> Self {
        Timestamp(self.0.saturating_add(Duration::from_millis(milliseconds as u64)))
    }
}
