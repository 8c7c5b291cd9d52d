//! What a room hears.

use serde::{Deserialize, Serialize};
use stateroom::{ClientId, MemoryLimits};

/// Something that happened to a room. Payloads are borrowed: hearing an event copies nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event<'a> {
    /// Somebody asks to join. The room answers with [`Command::Open`](crate::Command::Open), which
    /// tells the id.
    Connect {
        /// A secret of the client's own choosing: whoever brings it again later gets the same id.
        #[serde(borrow)]
        token: Option<&'a str>,
    },
    /// A client sent a text message.
    Text {
        /// Who sent it.
        client: ClientId,
        /// What was sent.
        text: &'a str,
    },
    /// A client sent a binary message.
    Binary {
        /// Who sent it.
        client: ClientId,
        /// What was sent.
        #[serde(with = "serde_bytes")]
        bytes: &'a [u8],
    },
    /// A client's connection has ended.
    Disconnect {
        /// Whose.
        client: ClientId,
    },
    /// The room's deadline may have passed.
    Timer,
    /// A client is a member no more, and the service does not hear of it: its
    /// [`Disconnect`](Event::Disconnect) failed, and was set aside.
    Forget {
        /// Which client.
        client: ClientId,
    },
    /// The service may use this much from now on. It hears of nothing but what it is refused.
    Limits {
        /// How much.
        limits: MemoryLimits,
    },
}
