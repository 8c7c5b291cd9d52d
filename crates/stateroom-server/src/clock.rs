//! Turns the machine's monotonic clock into the timestamps that rooms count by, and back.

use stateroom_room::Timestamp;
use std::time::{Duration, Instant, SystemTime};

/// The server's clock: the time of day at the server's start, and what has passed since. So it never
/// goes backwards, and shows the time of day as long as nobody sets it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    started: Instant,
    /// What the time of day was then, since 1970.
    time_of_day: Duration,
}

/// The time since 1970 by the machine's clock, which may be set: what others mean who tell a time.
pub(crate) fn time_of_day() -> Duration {
    // A machine whose clock stands before 1970 has no better answer than 1970.
    SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default()
}

impl Clock {
    pub(crate) fn start() -> Self {
        Clock { started: Instant::now(), time_of_day: time_of_day() }
    }

    pub(crate) fn timestamp(self, now: Instant) -> Timestamp {
        let since = now.saturating_duration_since(self.started);
        Timestamp::from_origin(self.time_of_day.saturating_add(since))
    }

    /// The same for a time in nanoseconds since 1970.
    pub(crate) fn instant_of(self, nanoseconds: u64) -> Instant {
        self.instant(Timestamp::from_origin(Duration::from_nanos(nanoseconds)))
    }

    /// When it is that time; at once, where that was before the server's start.
    pub(crate) fn instant(self, timestamp: Timestamp) -> Instant {
        let since = timestamp.since_origin().saturating_sub(self.time_of_day);
        self.started.checked_add(since).unwrap_or(self.started)
    }
}
