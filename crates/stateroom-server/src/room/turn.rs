//! What goes into a turn of a room, and what comes out of it.

use crate::{frame::Frame, kept::requests::Answer, room_http::Asked, websocket::CloseCode};
use mio::net::TcpStream;
use stateroom::LeaveReason;
use stateroom_room::{
    RoomEnded,
    session::{Close, Request},
};
use std::{collections::VecDeque, net::IpAddr, sync::Arc, time::Duration};

/// When the answers that wait to be written take this many bytes, they are written before more
/// input is heard: a small message may have a large answer.
pub(super) const BATCH_BYTES: usize = 1024 * 1024;

/// How long a room goes on taking what is ready before the other rooms have their turn.
pub(super) const TURN: Duration = Duration::from_millis(2);

/// What the shard asks of a room.
pub(crate) enum Order<F> {
    /// Let this client in.
    Join(Arrival),
    /// Hear this HTTP request.
    Request(Asked),
    /// Go on with the services of another factory.
    Swap(Arc<F>),
    /// Ping the client on this socket.
    Ping(Ready),
    /// Let the client on this socket go: it has been silent for too long.
    LetGo(Ready),
    /// Let the client on this socket go: its token has expired.
    Expired(Ready),
    /// Close everybody, and end.
    ShutDown,
    /// Hear what became of what you wanted to be kept.
    Answer(Answer),
    /// Be in memory, though nobody has come: something is due.
    BeInMemory,
    /// Be forgotten, if there is nobody and nothing is due: nobody has come for long.
    Forget,
}

impl<F> Order<F> {
    /// Whether a room that can hear nothing hears this all the same: it may be what it waits for.
    pub(super) fn gets_through(&self) -> bool {
        matches!(self, Order::Answer(_) | Order::ShutDown)
    }
}

/// A client whose handshake is done, on its way into a room.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) stream: TcpStream,
    /// Which of the shard's sockets it is on.
    pub(crate) socket: u32,
    /// Where it comes from, if that is not where its connection comes from.
    pub(crate) forwarded_for: Option<IpAddr>,
    /// What it sent right after the handshake.
    pub(crate) early: Vec<u8>,
    pub(crate) token: Option<String>,
    /// What the service may be told of that, if anything.
    pub(crate) claims: Option<String>,
    /// The session that it asks for.
    pub(crate) session: Option<Box<Request>>,
}

/// A connection of a room that something is to be done about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ready {
    /// The room's key of it.
    pub(crate) connection: u32,
    /// The shard's number of its socket, to tell it from one that had the key before.
    pub(crate) socket: u32,
    /// Whether the other side has said that it sends no more.
    pub(crate) at_end: bool,
}

/// A client that was let in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Joined {
    pub(crate) socket: u32,
    pub(crate) connection: u32,
}

/// A client that was let go.
#[derive(Debug)]
pub(crate) struct Departure {
    pub(crate) socket: u32,
    pub(crate) stream: TcpStream,
    /// What still waits to be written.
    pub(crate) queue: VecDeque<Frame>,
    pub(crate) leaving: Leaving,
}

/// How a connection ends.
#[derive(Debug, Clone)]
pub(crate) enum Leaving {
    /// The client is gone already.
    Gone,
    /// The client has closed with this code, and is answered with it.
    Answered(CloseCode),
    /// The client is told why.
    Closed(CloseCode, &'static str),
    /// The service has closed the client, and says why.
    ByService(CloseCode, Arc<str>),
    /// The client, which has a session or wants one, is told why.
    Session(Close),
}

impl Leaving {
    /// Why the client has left, for the service.
    pub(crate) fn reason(&self) -> LeaveReason {
        match self {
            Leaving::Gone => LeaveReason::Lost,
            Leaving::Answered(_) => LeaveReason::Closed,
            Leaving::Closed(..) | Leaving::Session(_) => LeaveReason::TurnedOut,
            Leaving::ByService(..) => LeaveReason::Kicked,
        }
    }
}

/// Why a room is over.
#[derive(Debug)]
pub(crate) enum End {
    /// Its service failed.
    Failed(RoomEnded),
    /// The server shuts down.
    ShutDown,
    /// What it did could not be kept.
    NotKept(Arc<str>),
    /// There was nothing in it that is worth keeping: whoever comes next gets a new one.
    Forgotten,
}

impl From<RoomEnded> for End {
    fn from(ended: RoomEnded) -> Self {
        End::Failed(ended)
    }
}

/// What goes into a turn of a room, and what comes out of it. Kept by the shard from turn to turn,
/// for the sake of its buffers.
pub(crate) struct Turn<F> {
    /// What is asked of the room; what it didn't come to is left here.
    pub(crate) orders: Vec<Order<F>>,
    /// The sockets to look at, and after the turn those to look at again.
    pub(crate) ready: Vec<Ready>,
    pub(crate) joined: Vec<Joined>,
    pub(crate) departures: Vec<Departure>,
    /// Connections to look at again.
    pub(super) again: Vec<Ready>,
}

impl<F> Default for Turn<F> {
    fn default() -> Self {
        Turn {
            orders: Vec::new(),
            ready: Vec::new(),
            joined: Vec::new(),
            departures: Vec::new(),
            again: Vec::new(),
        }
    }
}
