//! What an operator may choose about the sessions of a room.

use std::time::Duration;

/// The bounds of the sessions of one room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionSettings {
    /// How long a session is kept after its socket is gone.
    pub grace: Duration,
    /// How many bytes are kept at most to be said again, of what was let out.
    pub retained_bytes: usize,
    /// The largest message that a client may send.
    pub largest_message: usize,
    /// How long a client waits at most to hear that what it said is durable, unless it asks.
    pub ack_after: Duration,
}

impl Default for SessionSettings {
    fn default() -> Self {
        SessionSettings {
            grace: Duration::from_secs(30),
            retained_bytes: 256 * 1024,
            largest_message: 1024 * 1024,
            ack_after: Duration::from_millis(200),
        }
    }
}
