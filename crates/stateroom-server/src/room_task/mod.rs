//! The task that drives one room: takes what is ready, lets the room decide, writes the answers.
//!
//! A room and its sockets belong to this one task, so nothing on a message's way is shared or
//! locked, and everything that became ready together is handled before anything is written.

mod hear;
mod leave;

use crate::{
    readiness::Readiness,
    rooms::{RoomFactory, Rooms, Seat},
    sockets::Sockets,
    websocket::CloseCode,
};
use bytes::Bytes;
use leave::Leaving;
use stateroom::ClientId;
use stateroom_room::{CloseReason, Command, Event, Room, RoomEnded};
use std::{
    future::{Future as _, poll_fn},
    pin::Pin,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};
use tokio::{net::TcpStream, sync::mpsc::UnboundedReceiver, time::Sleep};

/// When the answers that wait to be written take this many bytes, they are written before more
/// input is heard: a small message may have a large answer.
const BATCH_BYTES: usize = 1024 * 1024;

/// How long a room goes on taking what is ready before the other rooms have their turn.
const TURN: Duration = Duration::from_millis(2);

/// How long an empty room waits at least before it looks again whether a client that has a seat in
/// it comes or goes.
const SEAT_PAUSE: Duration = Duration::from_millis(100);

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
        let mut keys = ready.drain(..);
        for key in keys.by_ref() {
            self.read(key, now)?;
            if self.sockets.batch_bytes() >= BATCH_BYTES {
                self.flush();
            }
            if now.elapsed() >= TURN {
                break;
            }
        }
        keys.for_each(|key| self.readiness.note(key));
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

    /// Drops the room, and with it its instance; keeps the orders that nobody has carried out.
    fn into_orders(self) -> (Vec<Order<F>>, UnboundedReceiver<Order<F>>) {
        (self.orders, self.inbox)
    }
}
