//! The task that drives one room: takes what is ready, lets the room decide, writes the answers.
//!
//! A room and its sockets belong to this one task, so nothing on a message's way is shared or
//! locked, and everything that became ready together is handled before anything is written.

use crate::{
    connection::{Connection, Reading},
    farewell::Farewell,
    heartbeat::{self, Heartbeat},
    readiness::Readiness,
    rooms::{RoomFactory, Rooms, Seat},
    sockets::{Sockets, Trouble},
    websocket::{Appetite, CloseCode, Decoder, Incoming, encode_ping, encode_pong},
};
use bytes::Bytes;
use stateroom::ClientId;
use stateroom_room::{CloseReason, Command, Event, Room, RoomEnded};
use std::{
    cell::RefCell,
    future::{Future as _, poll_fn},
    pin::Pin,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};
use tokio::{net::TcpStream, sync::mpsc::UnboundedReceiver, time::Sleep};

/// How much of one socket's input is read before the other sockets have their turn, in bytes.
const READ_AT_ONCE: usize = 64 * 1024;

/// When the answers that wait to be written take this many bytes, they are written before more
/// input is heard: a small message may have a large answer.
const BATCH_BYTES: usize = 1024 * 1024;

/// How long an empty room waits at least before it looks again whether a client that has a seat in
/// it comes or goes.
const SEAT_PAUSE: Duration = Duration::from_millis(100);

thread_local! {
    /// Where input is read to; frames are decoded and heard where they lie in it.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_AT_ONCE]);
}

/// What others ask of a room's task.
pub(crate) enum Order<F> {
    /// Let this client in.
    Join(Arrival),
    /// Go on with the services of another factory.
    Swap(Arc<F>),
    /// Close everybody, and end.
    ShutDown,
}

/// A client whose handshake is done, on its way into a room.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) stream: TcpStream,
    /// What it sent right after the handshake.
    pub(crate) sent_early: Bytes,
    pub(crate) token: Option<String>,
    pub(crate) seat: Seat,
}

/// Runs the room `room_id` from its start to its end.
pub(crate) async fn run<F: RoomFactory>(
    rooms: Arc<Rooms<F>>,
    room_id: Arc<str>,
    start: u64,
    factory: Arc<F>,
    mut inbox: UnboundedReceiver<Order<F>>,
) {
    let Some(room) = start_room(&rooms, &room_id, &*factory) else {
        rooms.retire(&room_id, start);
        while let Ok(order) = inbox.try_recv() {
            if let Order::Join(arrival) = order {
                let reason = "room failed: it could not start";
                rooms.take_leave(arrival, CloseCode::ROOM_FAILED, reason);
            }
        }
        return;
    };
    drop(factory);
    let now = Instant::now();
    let mut task = RoomTask {
        room,
        sockets: Sockets::default(),
        leaving: Vec::new(),
        ready: Vec::new(),
        orders: Vec::new(),
        readiness: Arc::default(),
        inbox,
        sleep: Box::pin(tokio::time::sleep_until(now.into())),
        next_heartbeat: now,
        empty_until: now + rooms.config.empty_room_timeout,
        rooms: rooms.clone(),
        id: room_id.clone(),
        start,
    };
    let end = task.drive().await;
    task.close_all(&end);
    // The instance is given back before the next one of this name can start.
    let (orders, mut inbox) = task.into_orders();
    rooms.retire(&room_id, start);
    tracing::debug!(room = &*room_id, "the room has ended");
    // Who came too late for this room gets a fresh one.
    let later = std::iter::from_fn(|| inbox.try_recv().ok());
    for order in orders.into_iter().chain(later) {
        if let Order::Join(arrival) = order {
            rooms.join(arrival);
        }
    }
}

fn start_room<F: RoomFactory>(
    rooms: &Rooms<F>,
    room_id: &str,
    factory: &F,
) -> Option<Room<F::Service>> {
    let now = rooms.clock.timestamp(Instant::now());
    match Room::start(factory, room_id, now) {
        Ok(room) => {
            tracing::debug!(room = room_id, "the room has started");
            Some(room)
        }
        Err(failure) => {
            tracing::error!(room = room_id, error = %failure, "the room could not start");
            None
        }
    }
}

struct RoomTask<F: RoomFactory> {
    room: Room<F::Service>,
    sockets: Sockets,
    /// The connections that end with this turn.
    leaving: Vec<(usize, Leaving)>,
    /// The keys of the sockets that are ready.
    ready: Vec<usize>,
    /// The orders to carry out.
    orders: Vec<Order<F>>,
    readiness: Arc<Readiness>,
    inbox: UnboundedReceiver<Order<F>>,
    /// Wakes the task for the room's timer, a heartbeat, or its end.
    sleep: Pin<Box<Sleep>>,
    next_heartbeat: Instant,
    /// While the room is empty: when it ends.
    empty_until: Instant,
    rooms: Arc<Rooms<F>>,
    id: Arc<str>,
    start: u64,
}

/// How a connection ends.
#[derive(Debug, Clone, Copy)]
enum Leaving {
    /// The client is gone already.
    Gone,
    /// The client is told why.
    Closed(CloseCode, &'static str),
}

/// Why a room's task ends.
enum End {
    Empty,
    Failed(RoomEnded),
    ShutDown,
}

impl From<RoomEnded> for End {
    fn from(ended: RoomEnded) -> Self {
        End::Failed(ended)
    }
}

impl<F: RoomFactory> RoomTask<F> {
    /// The life of a room: wait, hear, write, again.
    async fn drive(&mut self) -> End {
        loop {
            self.wait().await;
            let now = Instant::now();
            let heard = self.hear_everything(now);
            // Also after a failure: what was sent before it is delivered.
            let written = self.write_everything(now);
            if let Err(end) = heard.and(written) {
                return end;
            }
            if self.sockets.is_empty() && now >= self.empty_until {
                if self.rooms.retire_if_empty(&self.id, self.start) {
                    return End::Empty;
                }
                self.empty_until = now + self.rooms.config.empty_room_timeout.max(SEAT_PAUSE);
            }
            self.set_alarm();
        }
    }

    /// Waits until an order, a socket or the alarm needs the task.
    async fn wait(&mut self) {
        if !self.readiness.is_empty() {
            // A socket has more than one turn's worth: the other rooms go first.
            tokio::task::yield_now().await;
        }
        poll_fn(|context| {
            self.readiness.register(context.waker());
            self.readiness.take(&mut self.ready);
            let orders = self.inbox.poll_recv_many(context, &mut self.orders, usize::MAX);
            let alarm = self.sleep.as_mut().poll(context);
            if orders.is_ready() || alarm.is_ready() || !self.ready.is_empty() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// Wakes the task when something is due that no socket will announce.
    fn set_alarm(&mut self) {
        let mut alarm =
            if self.sockets.is_empty() { self.empty_until } else { self.next_heartbeat };
        if let Some(deadline) = self.room.deadline() {
            alarm = alarm.min(self.rooms.clock.instant(deadline));
        }
        if self.sleep.is_elapsed() || self.sleep.deadline() != alarm.into() {
            self.sleep.as_mut().reset(alarm.into());
        }
    }

    /// Takes all that is ready, and lets the room hear it.
    fn hear_everything(&mut self, now: Instant) -> Result<(), End> {
        let mut orders = std::mem::take(&mut self.orders).into_iter();
        while let Some(order) = orders.next() {
            if let Err(end) = self.carry_out(order, now) {
                self.orders = orders.collect();
                return Err(end);
            }
        }
        self.hear(Event::Timer, now)?;
        let mut ready = std::mem::take(&mut self.ready);
        for key in ready.drain(..) {
            self.read(key, now)?;
            if self.sockets.batch_bytes() >= BATCH_BYTES {
                self.flush();
            }
        }
        self.ready = ready;
        if now >= self.next_heartbeat {
            self.beat(now);
        }
        Ok(())
    }

    fn carry_out(&mut self, order: Order<F>, now: Instant) -> Result<(), End> {
        match order {
            Order::Join(arrival) => self.admit(arrival, now)?,
            Order::Swap(factory) => self.swap(&factory, now),
            Order::ShutDown => return Err(End::ShutDown),
        }
        Ok(())
    }

    /// Lets the room hear one event, and takes its commands.
    fn hear(&mut self, event: Event<'_>, now: Instant) -> Result<(), RoomEnded> {
        let outcome = self.room.handle(event, self.rooms.clock.timestamp(now));
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

    fn admit(&mut self, arrival: Arrival, now: Instant) -> Result<(), RoomEnded> {
        let Arrival { stream, sent_early, token, seat } = arrival;
        let event = Event::Connect { token: token.as_deref() };
        let outcome = self.room.handle(event, self.rooms.clock.timestamp(now));
        let decoder = Decoder::new(self.rooms.config.max_message_bytes);
        let readiness = self.readiness.clone();
        let mut arriving = Some((stream, decoder, seat));
        let mut key = None;
        self.obey(|sockets, client| {
            if let Some((stream, decoder, seat)) = arriving.take() {
                let waker = readiness.socket_waker(sockets.next_key());
                let connection = Connection::new(stream, decoder, waker, client, seat, now);
                key = Some(sockets.insert(client, connection));
            }
        });
        match (key, arriving) {
            (Some(key), _) => {
                let earliest = now + self.rooms.config.heartbeat_interval;
                self.next_heartbeat = self.next_heartbeat.clamp(now, earliest);
                if !sent_early.is_empty() {
                    self.take_input(key, now, |connection, hear| {
                        connection.decode(&mut sent_early.to_vec(), hear)
                    })?;
                }
                // The first look at the socket is what registers its waker.
                self.readiness.note(key);
            }
            (None, Some((stream, _, seat))) => {
                // The room failed before it let the client in.
                let arrival = Arrival { stream, sent_early, token: None, seat };
                let reason = "room failed";
                self.rooms.take_leave(arrival, CloseCode::ROOM_FAILED, reason);
            }
            (None, None) => {}
        }
        outcome
    }

    fn swap(&mut self, factory: &F, now: Instant) {
        let now = self.rooms.clock.timestamp(now);
        match self.room.replace_service(factory, &self.id, now) {
            Ok(()) => tracing::info!(room = &*self.id, "the room goes on with the new service"),
            Err(failure) => tracing::error!(
                room = &*self.id, error = %failure,
                "the new service could not start; the room goes on with the old one"
            ),
        }
        self.obey(|_, _| {});
    }

    /// Looks at a socket that is ready: writes what waits, reads what is there.
    fn read(&mut self, key: usize, now: Instant) -> Result<(), RoomEnded> {
        let Some(connection) = self.sockets.get_mut(key) else { return Ok(()) };
        if connection.write_queue().is_err() {
            self.leaving.push((key, Leaving::Gone));
            return Ok(());
        }
        self.take_input(key, now, |connection, hear| {
            SCRATCH.with_borrow_mut(|scratch| connection.read(scratch, now, hear))
        })
    }

    /// Lets the room hear the messages that `input` takes from a connection.
    fn take_input(
        &mut self,
        key: usize,
        now: Instant,
        input: impl FnOnce(&mut Connection, &mut dyn FnMut(Incoming<'_>) -> Appetite) -> Reading,
    ) -> Result<(), RoomEnded> {
        let Some(connection) = self.sockets.get_mut(key) else { return Ok(()) };
        let Some(client) = connection.client else { return Ok(()) };
        let timestamp = self.rooms.clock.timestamp(now);
        let room = &mut self.room;
        let mut outcome = Ok(());
        let mut pongs = Vec::new();
        let mut closed = None;
        let reading = input(connection, &mut |incoming| {
            let event = match incoming {
                Incoming::Text(text) => Event::Text { client, text },
                Incoming::Binary(bytes) => Event::Binary { client, bytes },
                Incoming::Ping(payload) => {
                    pongs.extend(encode_pong(payload));
                    return Appetite::Continue(());
                }
                Incoming::Pong => return Appetite::Continue(()),
                Incoming::Close(code) => {
                    closed = Some(code.unwrap_or(CloseCode::NORMAL));
                    return Appetite::Continue(());
                }
            };
            outcome = room.handle(event, timestamp);
            match outcome.is_err() || room.pending_bytes() >= BATCH_BYTES {
                true => Appetite::Break(()),
                false => Appetite::Continue(()),
            }
        });
        if !pongs.is_empty() {
            connection.queue(pongs);
            if connection.write_queue().is_err() {
                self.leaving.push((key, Leaving::Gone));
            } else if connection.queued_bytes() > self.rooms.config.max_queue_bytes {
                self.leaving.push((key, too_slow(&self.id)));
            }
        }
        if let Some(code) = closed {
            self.leaving.push((key, Leaving::Closed(code, "")));
        } else {
            match reading {
                Reading::Waiting => {}
                Reading::More => self.readiness.note(key),
                Reading::Gone => self.leaving.push((key, Leaving::Gone)),
                Reading::Broken(error) => {
                    tracing::info!(room = &*self.id, %client, %error, "the client is closed");
                    let reason = error.close_reason();
                    self.leaving.push((key, Leaving::Closed(error.close_code(), reason)));
                }
            }
        }
        self.obey(|_, _| {});
        outcome
    }

    /// Pings who has been silent, and lets go of who has been silent for too long.
    fn beat(&mut self, now: Instant) {
        let Self { sockets, leaving, .. } = self;
        let config = &self.rooms.config;
        let mut next = now + config.heartbeat_interval;
        for (key, connection) in sockets.iter_mut() {
            let (beat, due) = heartbeat::check(config, connection.heard, connection.pinged, now);
            next = next.min(due);
            match beat {
                Heartbeat::Alive => {}
                Heartbeat::Ping => {
                    connection.pinged = true;
                    connection.queue(encode_ping());
                    if connection.write_queue().is_err() {
                        leaving.push((key, Leaving::Gone));
                    }
                }
                Heartbeat::Dead => {
                    tracing::info!(
                        room = &*self.id, client = ?connection.client,
                        "the client has been silent for too long"
                    );
                    leaving.push((key, Leaving::Gone));
                }
            }
        }
        self.next_heartbeat = next;
    }

    /// Writes the batch, and notes whom that showed to be leaving.
    fn flush(&mut self) {
        let Self { sockets, leaving, rooms, id, .. } = self;
        sockets.flush(rooms.config.max_queue_bytes, |key, trouble| {
            leaving.push(match trouble {
                Trouble::Gone => (key, Leaving::Gone),
                Trouble::TooSlow => (key, too_slow(id)),
            });
        });
    }

    /// Writes the batch, lets go of who leaves, and again while that has consequences.
    fn write_everything(&mut self, now: Instant) -> Result<(), End> {
        let mut outcome = Ok(());
        loop {
            self.flush();
            if self.leaving.is_empty() {
                return outcome;
            }
            for (key, leaving) in std::mem::take(&mut self.leaving) {
                let Some(connection) = self.sockets.remove(key) else { continue };
                if self.sockets.is_empty() {
                    self.empty_until = now + self.rooms.config.empty_room_timeout;
                }
                if let Some(client) = connection.client
                    && outcome.is_ok()
                {
                    outcome = self.hear(Event::Disconnect { client }, now).map_err(End::from);
                }
                self.let_go(connection, leaving);
            }
        }
    }

    fn let_go(&self, connection: Connection, leaving: Leaving) {
        if let Leaving::Closed(code, reason) = leaving {
            let (stream, queue, seat) = connection.into_parts();
            let farewell = Farewell { stream, queue, code, reason, seat };
            self.rooms.tasks.spawn(farewell.say());
        }
    }

    /// Takes leave of everyone, in the way that fits the room's end.
    fn close_all(&mut self, end: &End) {
        let leaving = match end {
            End::Empty => return,
            End::Failed(ended) => {
                tracing::error!(room = &*self.id, error = %ended, "the room failed");
                Leaving::Closed(CloseCode::ROOM_FAILED, ended.failure.summary)
            }
            End::ShutDown => {
                let now = Instant::now();
                for client in self.room.members().collect::<Vec<_>>() {
                    if self.hear(Event::Disconnect { client }, now).is_err() {
                        break;
                    }
                }
                Leaving::Closed(CloseCode::GOING_AWAY, "the server is shutting down")
            }
        };
        for key in self.sockets.keys() {
            if let Some(connection) = self.sockets.remove(key) {
                self.let_go(connection, leaving);
            }
        }
    }

    /// Drops the room, and with it its instance; keeps the orders that nobody has carried out.
    fn into_orders(self) -> (Vec<Order<F>>, UnboundedReceiver<Order<F>>) {
        (self.orders, self.inbox)
    }
}

/// What happens to a client for whom more waits than may.
fn too_slow(room_id: &str) -> Leaving {
    tracing::warn!(room = room_id, "a client reads too slowly and is closed: its queue is full");
    Leaving::Closed(CloseCode::TRY_AGAIN_LATER, "reading too slowly")
}
