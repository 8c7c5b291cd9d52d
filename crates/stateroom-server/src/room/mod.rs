//! One room with its sockets: lets it hear what is ready, writes what it answers.
//!
//! Everything that became ready together is heard before anything is written. A room owns its
//! sockets, and knows nothing of the shard that it is on: it is given orders and keys of sockets,
//! and gives back whom it let in and whom it let go.

mod hear;
mod leave;

use crate::{shared::Shared, sockets::Sockets, websocket::CloseCode};
use bytes::Bytes;
use mio::net::TcpStream;
use stateroom::{ClientId, Sleep, StateroomService};
use stateroom_room::{CloseReason, Command, Event, Room, RoomContext, RoomEnded};
use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

pub(crate) use hear::with_scratch;

/// When the answers that wait to be written take this many bytes, they are written before more
/// input is heard: a small message may have a large answer.
const BATCH_BYTES: usize = 1024 * 1024;

/// How long a room goes on taking what is ready before the other rooms have their turn.
const TURN: Duration = Duration::from_millis(2);

/// What a server needs of a factory: services that can move between threads, and errors that can
/// be told. Every [`StateroomServiceFactory`](stateroom::StateroomServiceFactory) of that kind is
/// one.
pub trait RoomFactory:
    stateroom::StateroomServiceFactory<RoomContext, Service: Send, Error: std::fmt::Display>
    + Send
    + Sync
    + 'static
{
}

impl<F> RoomFactory for F
where
    F: stateroom::StateroomServiceFactory<RoomContext> + Send + Sync + 'static,
    F::Service: Send,
    F::Error: std::fmt::Display,
{
}

/// What the shard asks of a room.
pub(crate) enum Order<F> {
    /// Let this client in.
    Join(Arrival),
    /// Go on with the services of another factory.
    Swap(Arc<F>),
    /// Ping the client on this socket.
    Ping(Ready),
    /// Let the client on this socket go: it has been silent for too long.
    LetGo(Ready),
    /// Close everybody, and end.
    ShutDown,
}

/// A client whose handshake is done, on its way into a room.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) stream: TcpStream,
    /// Which of the shard's sockets it is on.
    pub(crate) socket: u32,
    /// What it sent right after the handshake.
    pub(crate) early: Vec<u8>,
    pub(crate) token: Option<String>,
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
    pub(crate) queue: VecDeque<Bytes>,
    pub(crate) leaving: Leaving,
}

/// How a connection ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Leaving {
    /// The client is gone already.
    Gone,
    /// The client has closed with this code, and is answered with it.
    Answered(CloseCode),
    /// The client is told why.
    Closed(CloseCode, &'static str),
}

/// Why a room is over.
#[derive(Debug)]
pub(crate) enum End {
    /// Its service failed.
    Failed(RoomEnded),
    /// The server shuts down.
    ShutDown,
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
    again: Vec<Ready>,
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

/// A room that runs, and its sockets.
pub(crate) struct DrivenRoom<S> {
    room: Room<S>,
    sockets: Sockets,
    /// The connections that end when all that was sent to them is written.
    leaving: Vec<(u32, Leaving)>,
    id: Arc<str>,
    shared: Arc<Shared>,
    /// Since when nobody is connected, while that is so.
    empty_since: Instant,
    /// When something was last written.
    last_flush: Instant,
    /// Whether the last flush did not come to its end.
    flushing: bool,
}

impl<S: StateroomService> DrivenRoom<S> {
    /// Starts the room `id`; `None`, with a line in the log, when it can't.
    pub(crate) fn start<F: RoomFactory<Service = S>>(
        factory: &F,
        id: &Arc<str>,
        shared: &Arc<Shared>,
        now: Instant,
    ) -> Option<Self> {
        match Room::start(factory, id, shared.clock.timestamp(now)) {
            Ok(room) => {
                tracing::debug!(room = &**id, "the room has started");
                Some(DrivenRoom {
                    room,
                    sockets: Sockets::default(),
                    leaving: Vec::new(),
                    id: id.clone(),
                    shared: shared.clone(),
                    empty_since: now,
                    last_flush: now.checked_sub(shared.config.flush_window).unwrap_or(now),
                    flushing: false,
                })
            }
            Err(failure) => {
                tracing::error!(room = &**id, error = %failure, "the room could not start");
                None
            }
        }
    }

    /// One turn: hears what is ready, writes what follows from it.
    pub(crate) fn turn<F>(&mut self, turn: &mut Turn<F>, now: Instant) -> Result<(), End>
    where
        F: RoomFactory<Service = S>,
    {
        // Nobody comes while others are on their way out: they might be given the same keys.
        let heard = if self.is_busy() { Ok(()) } else { self.hear_everything(turn, now) };
        // Also after a failure: what was sent before it is delivered.
        let written = self.write_everything(turn, now, heard.is_err());
        turn.ready.append(&mut turn.again);
        heard.and(written)
    }

    /// Whether the room has more to do right away.
    pub(crate) fn is_busy(&self) -> bool {
        self.flushing || !self.leaving.is_empty()
    }

    /// Whether nothing is on its way from here.
    pub(crate) fn is_at_rest(&self) -> bool {
        !self.sockets.has_batch()
    }

    /// Lets the room sleep, if it is of a kind that can; it wakes by itself.
    pub(crate) fn sleep(&mut self) -> Sleep {
        self.sockets.shrink();
        self.room.sleep()
    }

    pub(crate) fn is_awake(&self) -> bool {
        self.room.is_awake()
    }

    /// About how many bytes the room's service takes.
    pub(crate) fn footprint(&self) -> usize {
        self.room.footprint()
    }

    /// When the room has something to do that nobody will tell it.
    pub(crate) fn due(&self) -> Option<Instant> {
        let timer = self.room.deadline().map(|deadline| self.shared.clock.instant(deadline));
        let empty = self.sockets.is_empty().then(|| self.ends_when_empty_at());
        let flush = self.sockets.has_batch().then(|| self.flushes_at());
        [timer, empty, flush].into_iter().flatten().min()
    }

    /// Whether nobody has been here for so long that the room is over.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.sockets.is_empty() && now >= self.ends_when_empty_at()
    }

    fn ends_when_empty_at(&self) -> Instant {
        self.empty_since + self.shared.config.empty_room_timeout
    }

    /// When what waits to be written is written at the latest.
    fn flushes_at(&self) -> Instant {
        self.last_flush + self.shared.config.flush_window
    }

    /// Takes all that is ready, and lets the room hear it.
    fn hear_everything<F>(&mut self, turn: &mut Turn<F>, now: Instant) -> Result<(), End>
    where
        F: RoomFactory<Service = S>,
    {
        let mut in_turn = true;
        let mut orders = std::mem::take(&mut turn.orders).into_iter();
        while in_turn && let Some(order) = orders.next() {
            if let Err(end) = self.carry_out(order, turn, now) {
                turn.orders.extend(orders);
                return Err(end);
            }
            in_turn = self.goes_on(now);
        }
        turn.orders.extend(orders);
        if !self.flushing {
            self.hear(Event::Timer, now)?;
        }
        let mut ready = std::mem::take(&mut turn.ready);
        let mut outcome = Ok(());
        for socket in ready.drain(..) {
            if !in_turn {
                turn.again.push(socket);
                continue;
            }
            outcome = self.read(socket, turn, now);
            in_turn = outcome.is_ok() && self.goes_on(now);
        }
        turn.ready = ready;
        Ok(outcome?)
    }

    /// Writes a batch that has grown large, and tells whether there is more time in this turn.
    fn goes_on(&mut self, now: Instant) -> bool {
        (self.sockets.batch_bytes() < BATCH_BYTES || self.flush(now)) && now.elapsed() < TURN
    }

    fn carry_out<F>(&mut self, order: Order<F>, turn: &mut Turn<F>, now: Instant) -> Result<(), End>
    where
        F: RoomFactory<Service = S>,
    {
        match order {
            Order::Join(arrival) => self.admit(arrival, turn, now)?,
            Order::Swap(factory) => self.swap(&*factory, now),
            Order::Ping(socket) => self.ping(socket),
            Order::LetGo(socket) => self.let_go_silent(socket),
            Order::ShutDown => return Err(End::ShutDown),
        }
        Ok(())
    }

    /// Lets the room hear one event, and takes its commands.
    fn hear(&mut self, event: Event<'_>, now: Instant) -> Result<(), RoomEnded> {
        let outcome = handle(&mut self.room, &self.shared, event, now);
        self.obey(|_, _| {});
        outcome
    }

    /// Carries out the room's commands, as far as the batch; `open` is told of a client let in.
    fn obey(&mut self, mut open: impl FnMut(&mut Sockets, ClientId)) {
        let Self { room, sockets, leaving, .. } = self;
        room.drain_commands(|command| match command {
            Command::Open { client } => open(sockets, client),
            Command::Send { to, kind, bytes } => sockets.send(to, kind, bytes),
            Command::Close { client, reason: CloseReason::Replaced } => {
                if let Some(key) = sockets.close(client) {
                    let reason = "replaced by a newer connection with the same token";
                    leaving.push((key, Leaving::Closed(CloseCode::POLICY, reason)));
                }
            }
        });
    }

    fn swap<F>(&mut self, factory: &F, now: Instant)
    where
        F: RoomFactory<Service = S>,
    {
        let now = self.shared.clock.timestamp(now);
        match self.room.replace_service(factory, &self.id, now) {
            Ok(()) => tracing::info!(room = &*self.id, "the room goes on with the new service"),
            Err(failure) => tracing::error!(
                room = &*self.id, error = %failure,
                "the new service could not start; the room goes on with the old one"
            ),
        }
        self.obey(|_, _| {});
    }
}

/// Drops a room that is over. Its service may panic even then, which is to harm nobody else.
pub(crate) fn discard<S>(id: &str, room: Option<Box<DrivenRoom<S>>>) {
    if catch_unwind(AssertUnwindSafe(|| drop(room))).is_err() {
        tracing::error!(room = id, "the room's service panicked as it was dropped");
    }
}

/// Lets a room hear one event, and counts how long it took where that woke it.
fn handle<S: StateroomService>(
    room: &mut Room<S>,
    shared: &Shared,
    event: Event<'_>,
    now: Instant,
) -> Result<(), RoomEnded> {
    let asleep_until = (!room.is_awake()).then(Instant::now);
    let outcome = room.handle(event, shared.clock.timestamp(now));
    if let Some(start) = asleep_until.filter(|_| room.is_awake()) {
        shared.census.room_woke(start.elapsed());
    }
    outcome
}
