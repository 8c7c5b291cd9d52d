//! Which rooms there are, who has a seat in them, and how many more may come.
//!
//! Used when a client arrives and when it has gone, never on a message's way.

use crate::{
    ServerConfig,
    clock::Clock,
    farewell::Farewell,
    room_task::{self, Arrival, Order},
    websocket::CloseCode,
};
use stateroom::StateroomServiceFactory;
use stateroom_room::RoomContext;
use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::mpsc::{UnboundedSender, error::SendError, unbounded_channel};
use tokio_util::task::TaskTracker;

/// What a server needs of a factory: services that can move between threads, and errors that can
/// be told. Every [`StateroomServiceFactory`] of that kind is one.
pub trait RoomFactory:
    StateroomServiceFactory<RoomContext, Service: Send, Error: fmt::Display> + Send + Sync + 'static
{
}

impl<F> RoomFactory for F
where
    F: StateroomServiceFactory<RoomContext> + Send + Sync + 'static,
    F::Service: Send,
    F::Error: fmt::Display,
{
}

/// All rooms of a server.
pub(crate) struct Rooms<F> {
    pub(crate) config: ServerConfig,
    pub(crate) clock: Clock,
    /// Everything that a shutdown waits for.
    pub(crate) tasks: TaskTracker,
    state: Mutex<State<F>>,
}

struct State<F> {
    rooms: HashMap<Arc<str>, Entry<F>>,
    factory: Arc<F>,
    clients: usize,
    /// When the last client left, while there are none.
    inactive_since: Instant,
    stopping: bool,
    starts: u64,
}

/// A room that runs, or for which somebody has a seat.
struct Entry<F> {
    seats: usize,
    running: Option<Running<F>>,
}

struct Running<F> {
    orders: UnboundedSender<Order<F>>,
    /// Which of the server's starts this was, to tell a room from an earlier one of its name.
    start: u64,
}

/// Why a client is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the server is shutting down")]
    Stopping,
    #[error("the server has as many clients as it takes")]
    ServerFull,
    #[error("the server has as many rooms as it takes")]
    TooManyRooms,
    #[error("the room has as many clients as it takes")]
    RoomFull,
}

/// What `/status` tells.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub(crate) struct Status {
    active_connections: usize,
    seconds_inactive: u64,
    listening: bool,
    rooms: usize,
}

impl<F: RoomFactory> Rooms<F> {
    pub(crate) fn new(config: ServerConfig, factory: F) -> Arc<Self> {
        Arc::new(Rooms {
            config,
            clock: Clock::start(),
            tasks: TaskTracker::new(),
            state: Mutex::new(State {
                rooms: HashMap::new(),
                factory: Arc::new(factory),
                clients: 0,
                inactive_since: Instant::now(),
                stopping: false,
                starts: 0,
            }),
        })
    }

    /// Takes a seat in the room `room_id`, for as long as the seat is kept.
    pub(crate) fn reserve(self: &Arc<Self>, room_id: &str) -> Result<Seat, Refusal> {
        let mut guard = self.state();
        let state = &mut *guard;
        if state.stopping {
            return Err(Refusal::Stopping);
        }
        if state.clients >= self.config.max_clients {
            return Err(Refusal::ServerFull);
        }
        let room_id = match state.rooms.get_key_value(room_id) {
            Some((_, entry)) if entry.seats >= self.config.max_clients_per_room => {
                return Err(Refusal::RoomFull);
            }
            Some((room_id, _)) => room_id.clone(),
            None if state.rooms.len() >= self.config.max_rooms => {
                return Err(Refusal::TooManyRooms);
            }
            None => Arc::from(room_id),
        };
        let entry = state.rooms.entry(room_id.clone());
        entry.or_insert(Entry { seats: 0, running: None }).seats += 1;
        state.clients += 1;
        Ok(Seat { room_id, rooms: self.clone() })
    }

    /// Brings a client to its room, which is started where it does not run.
    pub(crate) fn join(self: &Arc<Self>, arrival: Arrival) {
        let mut guard = self.state();
        let state = &mut *guard;
        if state.stopping {
            drop(guard);
            return self.take_leave(arrival, CloseCode::GOING_AWAY, "the server is shutting down");
        }
        let room_id = arrival.seat.room_id.clone();
        let Some(entry) = state.rooms.get_mut(&room_id) else {
            drop(guard); // Not reached while seats keep their rooms' entries.
            return self.take_leave(arrival, CloseCode::TRY_AGAIN_LATER, "try again");
        };
        let mut order = Order::Join(arrival);
        if let Some(running) = &entry.running {
            match running.orders.send(order) {
                Ok(()) => return,
                Err(SendError(unsent)) => order = unsent,
            }
        }
        state.starts += 1;
        let (orders, inbox) = unbounded_channel();
        // The receiver is right here, so this cannot fail.
        let _ = orders.send(order);
        entry.running = Some(Running { orders, start: state.starts });
        let factory = state.factory.clone();
        let task = room_task::run(self.clone(), room_id, state.starts, factory, inbox);
        self.tasks.spawn(tokio::task::unconstrained(task));
    }

    /// Takes leave of a client that has not joined.
    pub(crate) fn take_leave(&self, arrival: Arrival, code: CloseCode, reason: &'static str) {
        let Arrival { stream, seat, .. } = arrival;
        let farewell = Farewell { stream, queue: VecDeque::new(), code, reason, seat };
        self.tasks.spawn(farewell.say());
    }

    /// Whether the room may end because nobody has a seat in it; if so it is no longer known.
    pub(crate) fn retire_if_empty(&self, room_id: &str, start: u64) -> bool {
        let mut state = self.state();
        let empty = state.rooms.get(room_id).is_none_or(|entry| entry.seats == 0);
        if empty {
            state.forget(room_id, start);
        }
        empty
    }

    /// Makes the next client that comes to `room_id` start a fresh room.
    pub(crate) fn retire(&self, room_id: &str, start: u64) {
        self.state().forget(room_id, start);
    }

    /// Has every room that runs, and every one to come, run the services of `factory`.
    pub(crate) fn swap(&self, factory: F) {
        let factory = Arc::new(factory);
        let mut state = self.state();
        state.factory = factory.clone();
        state.order_all(|| Order::Swap(factory.clone()));
    }

    /// Lets nobody in any more, and has every room close its clients and end.
    pub(crate) fn shut_down(&self) {
        let mut state = self.state();
        state.stopping = true;
        state.order_all(|| Order::ShutDown);
        self.tasks.close();
    }

    pub(crate) fn status(&self) -> Status {
        let state = self.state();
        let inactive = match state.clients {
            0 => state.inactive_since.elapsed(),
            _ => Duration::ZERO,
        };
        Status {
            active_connections: state.clients,
            seconds_inactive: inactive.as_secs(),
            listening: !state.stopping,
            rooms: state.rooms.len(),
        }
    }
}

impl<F> Rooms<F> {
    fn state(&self) -> MutexGuard<'_, State<F>> {
        // No code panics while it holds the lock; if it did, the counts are still the best known.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F> State<F> {
    fn forget(&mut self, room_id: &str, start: u64) {
        if let Some(entry) = self.rooms.get_mut(room_id) {
            entry.running.take_if(|running| running.start == start);
            if entry.seats == 0 && entry.running.is_none() {
                self.rooms.remove(room_id);
            }
        }
    }

    fn order_all(&mut self, order: impl Fn() -> Order<F>) {
        for running in self.rooms.values().filter_map(|entry| entry.running.as_ref()) {
            // A room that has just ended needs no orders.
            let _ = running.orders.send(order());
        }
    }
}

/// One client's place in a room, counted until it is dropped.
pub(crate) struct Seat {
    pub(crate) room_id: Arc<str>,
    rooms: Arc<dyn GiveBack>,
}

/// Where seats are given back.
trait GiveBack: Send + Sync {
    fn give_back(&self, room_id: &str);
}

impl<F: Send + Sync> GiveBack for Rooms<F> {
    fn give_back(&self, room_id: &str) {
        let mut state = self.state();
        state.clients = state.clients.saturating_sub(1);
        if state.clients == 0 {
            state.inactive_since = Instant::now();
        }
        if let Some(entry) = state.rooms.get_mut(room_id) {
            entry.seats = entry.seats.saturating_sub(1);
            if entry.seats == 0 && entry.running.is_none() {
                state.rooms.remove(room_id);
            }
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.rooms.give_back(&self.room_id);
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Seat").field(&self.room_id).finish()
    }
}
