//! What a room hears.

use stateroom::ClientId;

/// Something that happened to a room. Payloads are borrowed: hearing an event copies nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// Somebody asks to join. The room answers with [`Command::Open`](crate::Command::Open), which
    /// tells the id.
    Connect {
        /// A secret of the client's own choosing: whoever brings it again later gets the same id.
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
        bytes: &'a [u8],
    },
    /// A client's connection has ended.
    Disconnect {
        /// Whose.
        client: ClientId,
    },
    /// The room's deadline may have passed.
    Timer,
}
