//! What the host knows of a session that is lost without harm when its process ends.

use crate::timestamp::Timestamp;
use std::fmt;

/// A socket that asked for a session, as whoever drives the room counts them: no number comes twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(pub u64);

impl fmt::Display for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where the client of a session is.
#[derive(Debug, Clone, Hash, Default)]
pub(super) struct Place {
    /// The newest attempt that was seen.
    pub(super) attempt: u64,
    /// The socket of that attempt, until it ends.
    pub(super) socket: Option<SocketId>,
    /// Whether it was welcomed there.
    pub(super) is_attached: bool,
    /// Since when there is none.
    pub(super) away_since: Option<Timestamp>,
    /// How many of its messages are durable.
    pub(super) durable: u64,
    /// How many it was told are.
    pub(super) told: u64,
    /// Whether it has an answer to a probe coming.
    pub(super) probed: bool,
    /// After which event it asked to be told what is durable, if it was not told yet.
    pub(super) flush: Option<u64>,
}
