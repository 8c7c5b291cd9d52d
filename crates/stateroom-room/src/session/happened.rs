//! What happens in a room, as far as it matters to its sessions.

use super::key::KeyHash;
use crate::command::{MessageKind, Recipients};
use stateroom::ClientId;

/// Something that happened in a room, as far as it matters to sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happened<'a> {
    /// A client that asked for a session was let in.
    Connect {
        /// Under which id.
        client: ClientId,
        /// By which key it is known.
        key: KeyHash,
    },
    /// The service has heard a message of a client.
    Heard {
        /// Whose.
        client: ClientId,
    },
    /// A message of a client was set aside, since the room failed at it.
    Skipped {
        /// Whose.
        client: ClientId,
        /// Why, for the client.
        reason: &'a str,
    },
    /// A client is in the room no more.
    Disconnect {
        /// Which.
        client: ClientId,
        /// Why.
        why: Left<'a>,
    },
    /// The service has said something.
    Sent {
        /// To whom.
        to: Recipients,
        /// The type of message.
        kind: MessageKind,
        /// What; valid UTF-8 where `kind` is text.
        bytes: &'a [u8],
    },
    /// The room was brought back, and goes on under another incarnation.
    Incarnated {
        /// Which.
        number: u64,
    },
    /// The service has begun anew, with the same clients.
    Anew {
        /// The epoch from now on.
        epoch: u64,
    },
}

/// Why a client is in a room no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left<'a> {
    /// It has gone, or stayed away too long.
    Gone,
    /// A newer connection with the same token has taken its place.
    Replaced,
    /// The service has closed it. It still gets what was said to it before.
    Closed {
        /// With which code.
        code: u16,
        /// Why, for the client.
        reason: &'a str,
    },
}
