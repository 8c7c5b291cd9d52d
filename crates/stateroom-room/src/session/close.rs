//! How a socket of a session ends: close codes, and what a client does then. Refusals are closes as well, since a page
//! does not see why a handshake failed.

use super::number;
use std::{fmt, sync::Arc};

/// Why a server closes a socket that asked for a session, or has one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Close {
    /// The room cannot answer at this moment: connect again at once (4000).
    Again,
    /// The server has too much to do: connect again later (4100).
    Later,
    /// The session is over: begin another (4200).
    Ended {
        /// How many of the client's messages were heard, where the room still knows.
        heard: Option<u64>,
    },
    /// The login has ended: get another token, and connect again (4201).
    LogIn,
    /// A newer connection of this client has taken over, or this handshake was older than one that came before it
    /// (4300).
    Moved,
    /// The client said something that the protocol does not have (1002).
    Protocol,
    /// The service has closed the client.
    Service(ServiceClose),
}

/// How a service has closed a client.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceClose {
    /// With which code: 1000, or 4301 to 4999.
    pub code: u16,
    /// Why, at most [`MAX_CLOSE_REASON_BYTES`](stateroom::MAX_CLOSE_REASON_BYTES) long.
    pub reason: Arc<str>,
}

/// What a client does when its socket was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It connects again: at once, and then waiting longer each time.
    AtOnce,
    /// It connects again, and not at once.
    Later,
    /// It connects again with another token.
    WithAnotherToken,
    /// It begins another session; so many of its messages were heard in this one, if that is known.
    Anew {
        /// How many.
        heard: Option<u64>,
    },
    /// It does not connect again.
    Never,
}

impl Close {
    /// The close code.
    #[must_use]
    pub fn code(&self) -> u16 {
        match self {
            Close::Again => 4000,
            Close::Later => 4100,
            Close::Ended { .. } => 4200,
            Close::LogIn => 4201,
            Close::Moved => 4300,
            Close::Protocol => 1002,
            Close::Service(close) => close.code,
        }
    }
}

/// The reason that goes with the code.
impl fmt::Display for Close {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Close::Again => f.write_str("again"),
            Close::Later => f.write_str("later"),
            Close::Ended { heard: Some(heard) } => write!(f, "heard={heard}"),
            Close::Ended { heard: None } => f.write_str("ended"),
            Close::LogIn => f.write_str("log in again"),
            Close::Moved => f.write_str("moved"),
            Close::Protocol => f.write_str("not in the protocol"),
            Close::Service(close) => f.write_str(&close.reason),
        }
    }
}

impl Next {
    /// What a client does at this close. A socket that just ends is 1006.
    #[must_use]
    pub fn after(code: u16, reason: &str) -> Self {
        match code {
            4000..=4099 => Next::AtOnce,
            4100..=4199 => Next::Later,
            4200 => Next::Anew { heard: reason.strip_prefix("heard=").and_then(number::read) },
            4201 => Next::WithAnotherToken,
            // A message that is too large, or that the other side cannot read, would be sent again for ever.
            1000 | 1002 | 1003 | 1007..=1010 | 4202.. => Next::Never,
            _ => Next::AtOnce,
        }
    }
}
