//! One room with its sockets: lets it hear what is ready, writes what it answers.
//!
//! Everything that became ready together is heard before anything is written. A room owns its
//! sockets, and knows nothing of the shard that it is on: it is given orders and keys of sockets,
//! and gives back whom it let in and whom it let go.

mod hear;
mod keep;
mod leave;
mod setback;
mod swap;

use crate::{
    archive::{Archive, Code},
    counts,
    keeper::{Address, Answer},
    shared::Shared,
    sockets::Sockets,
    websocket::CloseCode,
};
use bytes::Bytes;
use hear::Newcomer;
use keep::{Keep, not_back};
use mio::net::TcpStream;
use stateroom::Sleep;
use stateroom_room::{CloseReason, Command, Event, Room, RoomContext, RoomEnded, Timestamp};
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
    /// Hear what became of what you wanted to be kept.
    Answer(Answer),
    /// Be there, though nobody has come.
    Attend,
}

impl<F> Order<F> {
    /// Whether a room that can hear nothing hears this all the same: it may be what it waits for.
    fn gets_through(&self) -> bool {
        matches!(self, Order::Answer(_) | Order::ShutDown)
    }
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
    /// What it did could not be kept.
    NotKept(Arc<str>),
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

/// What it takes to have a room: the code of new ones, and the way to those that are kept.
pub(crate) struct Opener<F: RoomFactory> {
    pub(crate) factory: Arc<F>,
    pub(crate) shared: Arc<Shared>,
    /// Where rooms are kept, with the code of new ones; `None` where they are not.
    pub(crate) kept: Option<(Arc<Archive<F>>, Code<F>)>,
}

/// A room that runs, and its sockets.
pub(crate) struct DrivenRoom<F: RoomFactory> {
    /// `None` while the room is not in memory, but only where it is kept.
    room: Option<Box<Room<F::Service>>>,
    sockets: Sockets,
    /// The clients that the room has heard of, but has yet to let in.
    newcomers: VecDeque<Newcomer>,
    /// What clients that were let in had sent before that, and the room has yet to hear.
    early: Vec<(Ready, Vec<u8>)>,
    /// The connections that end when all that was sent to them is written.
    leaving: Vec<(u32, Leaving)>,
    id: Arc<str>,
    shared: Arc<Shared>,
    /// Since when nobody is connected, while that is so.
    empty_since: Instant,
    /// How many turns it has had.
    turns: u64,
    /// When something was last written.
    last_flush: Instant,
    /// Whether the last flush did not come to its end.
    flushing: bool,
    /// Where the room is kept.
    keep: Option<Box<Keep<F>>>,
}

impl<F: RoomFactory> DrivenRoom<F> {
    /// Starts the room `id`, or brings it back; `None`, with a line in the log, when it can't.
    pub(crate) fn open(
        opener: Opener<F>,
        address: Address,
        id: &Arc<str>,
        now: Instant,
    ) -> Option<Self> {
        let Opener { factory, shared, kept } = opener;
        let (room, keep) = match &kept {
            None => match Room::start(&*factory, id, shared.clock.timestamp(now)) {
                Ok(room) => (room, None),
                Err(failure) => {
                    tracing::error!(room = &**id, error = %failure, "the room could not start");
                    return None;
                }
            },
            Some((archive, newest)) => match archive.open(id, newest, now) {
                Ok(opened) => {
                    let (room, keep) = Keep::new(opened, archive.clone(), address, &shared);
                    (room, Some(Box::new(keep)))
                }
                Err(error) => {
                    tracing::error!(room = &**id, %error, "the room could not be opened");
                    return None;
                }
            },
        };
        tracing::debug!(room = &**id, "the room has started");
        let newest = kept.map(|(_, newest)| newest.factory);
        let mut room = DrivenRoom {
            room: Some(Box::new(room)),
            sockets: Sockets::default(),
            newcomers: VecDeque::new(),
            early: Vec::new(),
            leaving: Vec::new(),
            id: id.clone(),
            empty_since: now,
            turns: 0,
            last_flush: now.checked_sub(shared.config.flush_window).unwrap_or(now),
            shared,
            flushing: false,
            keep,
        };
        if let Some(newest) = newest
            && let Err(error) = room.swap(&newest, now)
        {
            tracing::error!(room = &**id, %error, "the room could not be opened");
            return None;
        }
        Some(room)
    }

    /// One turn: hears what is ready, writes what follows from it.
    pub(crate) fn turn(&mut self, turn: &mut Turn<F>, now: Instant) -> Result<(), End> {
        self.turns += 1;
        if let Some(keep) = &mut self.keep {
            keep.setback.look_at_the_clock(now);
        }
        // Nobody comes while others are on their way out: they might be given the same keys.
        let heard = if self.is_busy() { Ok(()) } else { self.hear_everything(turn, now) };
        let heard = heard.or_else(|end| self.set_aside(end, turn, now));
        // While what was heard is on its way to the disk, what is durable is written.
        self.submit();
        // Also after a failure: what was sent before it is delivered.
        let written = self.write_everything(turn, now, heard.is_err());
        turn.ready.append(&mut turn.again);
        heard?;
        written.or_else(|end| self.set_aside(end, turn, now))?;
        self.submit();
        self.go_to_rest(now);
        Ok(())
    }

    /// Whether the room has more to do right away.
    pub(crate) fn is_busy(&self) -> bool {
        self.flushing || !(self.leaving.is_empty() || self.is_blocked())
    }

    /// Whether the room has more to do right away, when this is what it is still to hear.
    pub(crate) fn has_more(&self, orders: &[Order<F>], ready: &[Ready]) -> bool {
        self.is_busy()
            || match self.is_blocked() {
                true => orders.iter().any(Order::gets_through),
                false => !(orders.is_empty() && ready.is_empty() && self.early.is_empty()),
            }
    }

    /// Whether nothing is on its way from here.
    pub(crate) fn is_at_rest(&self) -> bool {
        !self.sockets.has_batch()
            && self.room.as_ref().is_none_or(|room| !room.is_waiting() && room.unsubmitted() == 0)
    }

    /// Lets the room sleep, if it is of a kind that can; it wakes by itself.
    pub(crate) fn sleep(&mut self, now: Instant) -> Sleep {
        self.sockets.shrink();
        self.newcomers.shrink_to_fit();
        self.early.shrink_to_fit();
        let Some(room) = &mut self.room else { return Sleep::Asleep(None) };
        let sleep = room.sleep();
        if let (Sleep::Asleep(_), Some(keep)) = (&sleep, &mut self.keep) {
            keep.asleep_since = Some(now);
        }
        sleep
    }

    pub(crate) fn id(&self) -> &Arc<str> {
        &self.id
    }

    pub(crate) fn is_awake(&self) -> bool {
        self.room.as_ref().is_some_and(|room| room.is_awake())
    }

    pub(crate) fn is_in_memory(&self) -> bool {
        self.room.is_some()
    }

    /// When the room last heard something, if it is in memory.
    pub(crate) fn heard_at(&self) -> Option<Timestamp> {
        self.room.as_ref().map(|room| room.heard_at())
    }

    /// About how many bytes the room's service takes.
    pub(crate) fn footprint(&self) -> usize {
        self.room.as_ref().map_or(0, |room| room.footprint())
    }

    /// When the room has something to do that nobody will tell it.
    pub(crate) fn due(&self) -> Option<Instant> {
        let timer = match &self.keep {
            Some(keep) if self.is_blocked() => keep.setback.paused_until(),
            _ => self.deadline(),
        };
        let empty = self.is_empty().then(|| self.ends_when_empty_at());
        let empty = empty.filter(|_| !self.is_being_saved());
        let flush = self.sockets.has_batch().then(|| self.flushes_at());
        let stall = self.sockets.stalls_at();
        [timer, empty, flush, stall, self.leaves_memory_at(), self.absent_until()]
            .into_iter()
            .flatten()
            .min()
    }

    /// When the room's timer fires.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let deadline = match (&self.room, &self.keep) {
            (Some(room), _) => room.deadline(),
            (None, Some(keep)) => keep.deadline,
            (None, None) => None,
        };
        deadline.map(|deadline| self.shared.clock.instant(deadline))
    }

    /// When the room, which nobody is in, has something to do.
    pub(crate) fn attends_at(&self) -> Option<Instant> {
        [self.deadline(), self.absent_until()].into_iter().flatten().min()
    }

    fn is_empty(&self) -> bool {
        self.sockets.is_empty() && self.newcomers.is_empty()
    }

    /// Whether nobody has been here for so long that the room is over, or need not be in memory.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.is_empty() && now >= self.ends_when_empty_at() && self.is_saved()
    }

    fn ends_when_empty_at(&self) -> Instant {
        self.empty_since + self.shared.config.empty_room_timeout
    }

    /// When what waits to be written is written at the latest.
    fn flushes_at(&self) -> Instant {
        self.last_flush + self.shared.config.flush_window
    }

    /// Takes all that is ready, and lets the room hear it.
    fn hear_everything(&mut self, turn: &mut Turn<F>, now: Instant) -> Result<(), End> {
        if !self.is_blocked() {
            // Before anybody who comes is told who is there.
            self.part_with_the_absent(turn, now)?;
        }
        let mut in_turn = true;
        let mut orders = std::mem::take(&mut turn.orders).into_iter();
        let mut outcome = Ok(());
        while outcome.is_ok()
            && in_turn
            && let Some(order) = orders.next()
        {
            match order {
                Order::Answer(answer) => outcome = self.take_answer(answer, turn, now),
                Order::ShutDown => outcome = Err(End::ShutDown),
                order if self.is_blocked() || self.holds_up(&order) => turn.orders.push(order),
                order => outcome = self.carry_out(order, turn, now),
            }
            in_turn = self.goes_on(now);
        }
        turn.orders.extend(orders);
        outcome?;
        if !self.flushing && !self.is_blocked() {
            self.hear(Event::Timer, turn, now)?;
        }
        while in_turn
            && !self.is_blocked()
            && let Some((ready, early)) = self.early.pop()
        {
            self.hear_early(ready, early, turn, now)?;
            in_turn = self.goes_on(now);
        }
        let mut ready = std::mem::take(&mut turn.ready);
        let mut outcome = Ok(());
        for socket in ready.drain(..) {
            if !in_turn || self.is_blocked() {
                if self.list(socket) {
                    turn.again.push(socket);
                }
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

    fn carry_out(&mut self, order: Order<F>, turn: &mut Turn<F>, now: Instant) -> Result<(), End> {
        match order {
            Order::Join(arrival) => self.admit(arrival, turn, now)?,
            Order::Swap(factory) => {
                self.swap(&factory, now).map_err(not_back)?;
                self.obey(turn);
            }
            Order::Ping(socket) => self.ping(socket),
            Order::LetGo(socket) => self.let_go_silent(socket),
            Order::ShutDown => return Err(End::ShutDown),
            Order::Answer(_) | Order::Attend => {}
        }
        Ok(())
    }

    /// Lets the room hear one event, and takes its commands.
    fn hear(
        &mut self,
        event: Event<'_>,
        turn: &mut Turn<F>,
        now: Instant,
    ) -> Result<(), RoomEnded> {
        let outcome = handle(&mut self.room, &mut self.keep, &self.shared, &self.id, event, now);
        self.obey(turn);
        outcome
    }

    /// Carries out the room's commands, as far as the batch.
    fn obey(&mut self, turn: &mut Turn<F>) {
        let Self { room, sockets, leaving, newcomers, early, .. } = self;
        let Some(room) = room else { return };
        room.drain_commands(|command| match command {
            Command::Open { client } => {
                if let Some(newcomer) = newcomers.pop_front() {
                    newcomer.settle_in(client, sockets, early, turn);
                }
            }
            Command::Send { to, kind, bytes } => sockets.send(to, kind, bytes),
            Command::Close { client, reason: CloseReason::Replaced } => {
                if let Some(key) = sockets.close(client) {
                    let reason = "replaced by a newer connection with the same token";
                    leaving.push((key, Leaving::Closed(CloseCode::POLICY, reason)));
                }
            }
        });
    }
}

/// Drops a room that is over. Its service may panic even then, which is to harm nobody else.
pub(crate) fn discard<F: RoomFactory>(id: &str, room: Option<Box<DrivenRoom<F>>>) {
    if catch_unwind(AssertUnwindSafe(|| drop(room))).is_err() {
        tracing::error!(room = id, "the room's service panicked as it was dropped");
    }
}

/// Lets a room hear one event, and counts how long it took where that woke it, or brought it back.
fn handle<F: RoomFactory>(
    room: &mut Option<Box<Room<F::Service>>>,
    keep: &mut Option<Box<Keep<F>>>,
    shared: &Shared,
    id: &str,
    event: Event<'_>,
    now: Instant,
) -> Result<(), RoomEnded> {
    let is_awake = |room: &Option<Box<Room<_>>>| room.as_ref().is_some_and(|room| room.is_awake());
    let asleep_until = (!is_awake(room)).then(Instant::now);
    let timestamp = shared.clock.timestamp(now);
    let deadline = room.as_ref().and_then(|room| room.deadline());
    // A room is asked in each turn whether its timer fires.
    if event != Event::Timer || deadline.is_some_and(|deadline| deadline <= timestamp) {
        counts::add(|counts| counts.events += 1);
    }
    let outcome = match (&mut *room, &mut *keep) {
        (Some(room), None) => room.handle(event, timestamp),
        (room, Some(keep)) => keep.handle(room, id, event, timestamp),
        // Only rooms that are kept leave memory.
        (None, None) => Ok(()),
    };
    if let Some(start) = asleep_until.filter(|_| is_awake(room)) {
        shared.census.room_woke(start.elapsed());
    }
    outcome
}
