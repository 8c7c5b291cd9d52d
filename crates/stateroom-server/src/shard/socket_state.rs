//! What each of a shard's sockets is there for, from its first byte to its last.

use super::{closing::Closing, handshaking::Handshaking};
use crate::{
    connections::{Kind, Permit},
    names::RoomKey,
};

/// One socket of a shard.
#[derive(Debug, Default)]
pub(crate) struct SocketSlot {
    pub(super) state: SocketState,
    /// Its part in the count of all connections.
    pub(super) permit: Option<Permit>,
}

/// What a socket is there for.
#[derive(Debug, Default)]
pub(crate) enum SocketState {
    /// That is just being decided.
    #[default]
    Open,
    /// Its request has not been read whole.
    Handshaking(Box<Handshaking>),
    /// Its client is counted in a room, which has yet to let it in.
    Joining {
        room: RoomKey,
        /// What has happened on it meanwhile.
        readiness: Readiness,
    },
    /// It is a client's. The room has the socket itself.
    Member {
        room: RoomKey,
        /// The room's key of it.
        connection: u32,
        /// The tick at which the client was heard last.
        heard: u32,
        pinged: bool,
    },
    /// Its connection is being closed, and its client is counted in the room until that is done.
    Closing { closing: Box<Closing>, room: Option<RoomKey> },
}

impl SocketState {
    /// As what it is counted; `None` while that is being decided.
    pub(super) fn counted_as(&self) -> Option<Kind> {
        match self {
            SocketState::Open => None,
            SocketState::Handshaking(_) => Some(Kind::Handshaking),
            SocketState::Joining { .. } | SocketState::Member { .. } => Some(Kind::WebSocket),
            SocketState::Closing { .. } => Some(Kind::Closing),
        }
    }
}

/// What the system has told of a socket that nobody has looked at yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Readiness {
    /// Nothing.
    Nothing,
    /// There may be something to read.
    Ready,
    /// The same, and the other side sends no more after it.
    AtEnd,
}
