//! What each of a shard's sockets is there for, from its first byte to its last.

use super::{farewell::Farewell, handshaking::Greeting};
use crate::{
    connections::{Kind, Permit},
    names::RoomKey,
};

/// One socket of a shard.
#[derive(Debug, Default)]
pub(crate) struct Place {
    pub(super) kind: PlaceKind,
    /// Its part in the count of all connections.
    pub(super) permit: Option<Permit>,
}

/// What a socket is there for.
#[derive(Debug, Default)]
pub(crate) enum PlaceKind {
    /// That is just being decided.
    #[default]
    Open,
    /// Its request has not been read whole.
    Greeting(Box<Greeting>),
    /// Its client has a seat in a room, which has yet to let it in.
    Joining {
        room: RoomKey,
        /// What has happened on it meanwhile.
        news: News,
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
    /// Its client is being taken leave of, and keeps its seat until that is done.
    Leaving { farewell: Box<Farewell>, room: Option<RoomKey> },
}

impl PlaceKind {
    /// As what it is counted; `None` while that is being decided.
    pub(super) fn counted_as(&self) -> Option<Kind> {
        match self {
            PlaceKind::Open => None,
            PlaceKind::Greeting(_) => Some(Kind::Greeting),
            PlaceKind::Joining { .. } | PlaceKind::Member { .. } => Some(Kind::WebSocket),
            PlaceKind::Leaving { .. } => Some(Kind::Closing),
        }
    }
}

/// What the system has told of a socket that nobody has looked at yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum News {
    /// Nothing.
    None,
    /// There may be something to read.
    Ready,
    /// The same, and the other side sends no more after it.
    AtEnd,
}
