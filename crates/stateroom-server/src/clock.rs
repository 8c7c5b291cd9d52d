//! Turns the machine's monotonic clock into the timestamps that rooms count by, and back.

use stateroom_room::Timestamp;
use std::time::Instant;

/// The server's clock; its origin is the server's start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    origin: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Clock { origin: Instant::now() }
    }

    pub(crate) fn timestamp(self, now: Instant) -> Timestamp {
        Timestamp::from_origin(now.saturating_duration_since(self.origin))
    }

    pub(crate) fn instant(self, timestamp: Timestamp) -> Instant {
        self.origin + timestamp.since_origin()
    }
}
