//! A shard: one thread's sockets and rooms. The loop that everything in a server happens in.
//!
//! A room, its guest and its sockets live on one shard, which owns them all, so a message meets no
//! lock and no other thread. The loop waits until something happens, notes which rooms that is for,
//! and gives each of them a turn. While a room has its turn it is taken out of the shard: should it
//! take long, the shard goes on without it on another thread (see `busy`), and the room comes back
//! by letter.

mod agenda;
mod farewell;
mod guests;
mod mailbox;
mod places;
mod rooms;
mod tiers;

use crate::{
    busy::{self, Work},
    counts,
    factory::RoomFactory,
    health::ThreadGuard,
    heartbeat::Heartbeats,
    http::HttpClient,
    kept::{archive::Archive, code::Code, requests::Answers},
    names::{Address, RoomKey},
    room::{DrivenRoom, End, Leaving, Opener, Order, Turn, discard},
    shared::Shared,
    websocket::CloseCode,
};
use agenda::Alarms;
pub(crate) use guests::shard_of;
pub(crate) use mailbox::{Letter, Mailbox};
use mio::{Events, Interest, Poll, Token, net::TcpListener};
use places::Place;
use rooms::{Awake, CheckedIn, Errand, Outcome, PutToSleep, Returned, RoomSlots};
use slab::Slab;
use std::{
    collections::VecDeque,
    io::{self, ErrorKind},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc::Receiver},
    time::{Duration, Instant},
};
use tiers::{AwakeLimits, AwakeRooms, Urgency};
use tokio::sync::mpsc::UnboundedSender;

const LETTERS: Token = Token(usize::MAX);
const LISTENER: Token = Token(usize::MAX - 1);

/// How many sockets' news are taken at once.
const EVENTS: usize = 1024;

/// How many rooms are looked at, where one has to sleep, for one that is quiet.
const QUIET_ROOMS_SOUGHT: usize = 16;

/// How many rooms that are not in memory are brought back at once because their time has come: after
/// a server's start there may be thousands, and clients must not wait for all of them.
const ALARMS_AT_ONCE: usize = 16;

/// See the [module](self).
pub(crate) struct Shard<F: RoomFactory> {
    number: usize,
    shared: Arc<Shared>,
    /// The mailboxes of all shards, by number.
    shards: Arc<[Arc<Mailbox<F>>]>,
    factory: Arc<F>,
    /// Where rooms are kept, with the code of new ones.
    kept: Option<(Arc<Archive<F>>, Code<F>)>,
    poll: Poll,
    events: Option<Events>,
    letters: Receiver<Letter<F>>,
    http: UnboundedSender<HttpClient>,
    /// On one of the shards.
    listener: Option<TcpListener>,
    accepting: Accepting,
    places: Slab<Place>,
    rooms: RoomSlots<F>,
    /// When rooms that are not in memory have something to do.
    alarms: Alarms,
    awake: AwakeRooms,
    /// How many sleeping rooms the census knows of.
    asleep: usize,
    /// And of those that are not in memory.
    on_disk: usize,
    heartbeats: Heartbeats,
    /// The tick of the heartbeats that it is.
    tick: u32,
    /// A turn's buffers, for the next one.
    turn: Option<Turn<F>>,
    /// Set when the server shuts down: when the last who have not taken their leave are dropped.
    ends_at: Option<Instant>,
    /// Dropped with the shard, which is how the server knows that it has ended.
    _running: UnboundedSender<()>,
    _guard: ThreadGuard,
}

/// How it stands with the listener.
#[derive(Debug, Default)]
struct Accepting {
    /// Whether connections may be waiting.
    ready: bool,
    /// Whether the last one could not be accepted.
    exhausted: bool,
    rests_until: Option<Instant>,
}

/// A shard without its surroundings, which must know its mailbox first.
pub(crate) struct Plan<F: RoomFactory> {
    poll: Poll,
    letters: Receiver<Letter<F>>,
    pub(crate) mailbox: Arc<Mailbox<F>>,
}

impl<F: RoomFactory> Plan<F> {
    pub(crate) fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let (mailbox, letters) = Mailbox::new(&poll, LETTERS)?;
        Ok(Plan { poll, letters, mailbox })
    }
}

/// What shards are given.
pub(crate) struct Surroundings<F: RoomFactory> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) shards: Arc<[Arc<Mailbox<F>>]>,
    pub(crate) factory: Arc<F>,
    pub(crate) kept: Option<(Arc<Archive<F>>, Code<F>)>,
    pub(crate) http: UnboundedSender<HttpClient>,
    pub(crate) running: UnboundedSender<()>,
}

impl<F: RoomFactory> Shard<F> {
    /// The shard of this number; one of them is given the listener.
    pub(crate) fn new(
        number: usize,
        plan: Plan<F>,
        surroundings: &Surroundings<F>,
        mut listener: Option<TcpListener>,
    ) -> io::Result<Box<Self>> {
        let Plan { poll, letters, .. } = plan;
        if let Some(listener) = &mut listener {
            poll.registry().register(listener, LISTENER, Interest::READABLE)?;
        }
        let config = &surroundings.shared.config;
        let count = surroundings.shards.len();
        let limits = AwakeLimits {
            rooms: (config.max_awake_rooms / count).max(1),
            bytes: config.max_awake_bytes / count,
            time: config.sleep_after,
        };
        let (interval, timeout) = (config.heartbeat_interval, config.heartbeat_timeout);
        Ok(Box::new(Shard {
            number,
            shared: surroundings.shared.clone(),
            shards: surroundings.shards.clone(),
            factory: surroundings.factory.clone(),
            kept: surroundings.kept.clone(),
            poll,
            events: Some(Events::with_capacity(EVENTS)),
            letters,
            http: surroundings.http.clone(),
            listener,
            accepting: Accepting::default(),
            places: Slab::new(),
            rooms: RoomSlots::new(),
            alarms: Alarms::default(),
            awake: AwakeRooms::new(limits),
            asleep: 0,
            on_disk: 0,
            heartbeats: Heartbeats::new(interval, timeout, Instant::now()),
            tick: 0,
            turn: None,
            ends_at: None,
            _running: surroundings.running.clone(),
            _guard: surroundings.shared.health.guard(format!("stateroom-{number}")),
        }))
    }

    /// Runs the shard to its end, or until another thread goes on with it.
    pub(crate) fn run(mut self: Box<Self>) {
        loop {
            let now = Instant::now();
            if self.has_ended(now) {
                return;
            }
            if let Some((archive, _)) = &self.kept {
                let answers = archive.keeper.pass_on(self.number);
                self.tell(answers);
            }
            if let Err(error) = self.take_news(now) {
                tracing::error!(%error, "a thread of the server cannot wait for its sockets");
                return;
            }
            // Each room that has something to hear gets one turn before there are news again.
            for _ in 0..self.rooms.queued() {
                match self.give_turn() {
                    Some(shard) => self = shard,
                    None => return,
                }
                if let Some((archive, _)) = &self.kept {
                    let answers = archive.keeper.pass_on_many(self.number);
                    self.tell(answers);
                }
            }
        }
    }

    /// Waits until something happens, and notes what it is.
    fn take_news(&mut self, now: Instant) -> io::Result<()> {
        let asleep = self.rooms.asleep();
        if asleep != self.asleep {
            self.shared.census.rooms_sleep(self.asleep, asleep);
            self.asleep = asleep;
        }
        let on_disk = self.rooms.on_disk();
        if on_disk != self.on_disk {
            self.shared.census.rooms_hibernate(self.on_disk, on_disk);
            self.on_disk = on_disk;
        }
        let timeout = if self.rooms.queued() > 0 || self.may_accept(now) {
            Some(Duration::ZERO)
        } else {
            self.next_due().map(|due| due.saturating_duration_since(now))
        };
        let Some(mut events) = self.events.take() else { return Ok(()) };
        let polled = self.poll.poll(&mut events, timeout);
        let now = Instant::now();
        self.look_at_the_quiet(now);
        for event in &events {
            match event.token() {
                LETTERS => {}
                LISTENER => self.accepting.ready = true,
                _ => self.notice(event),
            }
        }
        self.events = Some(events);
        match polled {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        while let Ok(letter) = self.letters.try_recv() {
            self.read_letter(letter, now);
        }
        if self.may_accept(now) {
            self.accept(now);
        }
        self.rooms.wake_due(now);
        for _ in 0..ALARMS_AT_ONCE {
            let Some((_, room)) = self.alarms.pop_due(now) else { break };
            self.have_attend(&room);
        }
        while let Some(room) = self.awake.quiet(now) {
            self.put_to_sleep(room, Urgency::WhenQuiet, now);
        }
        Ok(())
    }

    fn may_accept(&self, now: Instant) -> bool {
        self.accepting.ready
            && self.listener.is_some()
            && self.accepting.rests_until.is_none_or(|until| until <= now)
    }

    /// When something is to be done even if nothing happens.
    fn next_due(&self) -> Option<Instant> {
        let rest = self.accepting.rests_until.filter(|_| self.accepting.ready);
        let due = [
            self.rooms.next_due(),
            self.alarms.next(),
            self.awake.next_quiet(),
            self.heartbeats.next(),
            rest,
            self.ends_at,
        ];
        due.into_iter().flatten().min()
    }

    fn read_letter(&mut self, letter: Letter<F>, now: Instant) {
        match letter {
            Letter::Guest(guest) => self.admit(guest, None),
            Letter::Returned(returned) => {
                self.take_back(*returned);
            }
            Letter::Counted(counted) => counts::add(|counts| counts.merge(&counted)),
            Letter::Answers(answers) => self.tell(answers),
            Letter::Alarms(alarms) => {
                alarms.into_iter().for_each(|(when, room)| self.alarms.add(when, room));
            }
            Letter::Forget(rooms) => rooms.iter().for_each(|room| self.have_forgotten(room)),
            Letter::Swap(factory) => {
                self.factory = factory.clone();
                if let Some((_, code)) = &mut self.kept
                    && let Ok(version) = factory.version()
                {
                    *code = Code { factory: factory.clone(), version };
                }
                self.rooms.order_all(|| Order::Swap(factory.clone()));
            }
            Letter::ShutDown => self.shut_down(now),
        }
    }

    /// Tells rooms what became of what they wanted to be kept.
    fn tell(&mut self, answers: Answers) {
        // Before those who wait for their turn: they have had the first half of theirs.
        for (room, answer) in answers.into_iter().rev() {
            self.rooms.order_next(room, Order::Answer(answer));
        }
    }

    /// Brings a room to memory in which something happens though nobody has come. Not when the server
    /// is about to end: it will be done after the next start.
    fn have_attend(&mut self, id: &Arc<str>) {
        if self.shared.census.is_stopping() {
            return;
        }
        let room = self.rooms.find(id).unwrap_or_else(|| {
            // What rooms there are has been decided before.
            self.shared.census.room_comes(usize::MAX);
            self.rooms.add(id)
        });
        self.order(room, Order::Attend);
    }

    /// Has a room forgotten that nobody has visited for long, unless it is in use.
    fn have_forgotten(&mut self, id: &Arc<str>) {
        if !self.shared.census.is_stopping() && self.rooms.find(id).is_none() {
            self.shared.census.room_comes(usize::MAX);
            let room = self.rooms.add(id);
            self.order(room, Order::Forget);
        }
    }

    fn order(&mut self, room: RoomKey, order: Order<F>) {
        self.rooms.order(room, order);
    }

    fn unseat(&mut self, room: RoomKey) {
        self.shared.census.client_goes();
        if self.rooms.stand_up(room) {
            self.shared.census.room_goes();
        }
    }

    /// Gives the next room its turn. Returns the shard, unless the room took so long that another
    /// thread goes on with it.
    fn give_turn(mut self: Box<Self>) -> Option<Box<Self>> {
        self.make_room();
        let turn = self.turn.take().unwrap_or_default();
        let errand = match self.rooms.check_out(turn) {
            Ok(errand) => errand,
            Err(turn) => {
                self.turn = Some(turn);
                return Some(self);
            }
        };
        // Only a room that has yet to start needs these, which all shards count the users of.
        let opener = errand.room.is_none().then(|| Opener {
            factory: self.factory.clone(),
            shared: self.shared.clone(),
            kept: self.kept.clone(),
        });
        let shard = self.number;
        let mailbox = self.shards.get(self.number).cloned();
        let (returned, kept) = busy::while_lendable(self, || errand.run(opener, shard));
        match kept {
            Some(mut shard) => {
                let turn = shard.take_back(returned);
                shard.turn = Some(turn);
                Some(shard)
            }
            None => {
                if let Some(mailbox) = mailbox {
                    mailbox.send(Letter::Counted(Box::new(counts::take())));
                    mailbox.send(Letter::Returned(Box::new(returned)));
                }
                None
            }
        }
    }

    /// Has so many rooms sleep that the one whose turn it is can be awake: some that are quiet, or
    /// else, where there is no other way, one that is about to wake again.
    fn make_room(&mut self) {
        let Some(next) = self.rooms.next() else { return };
        for _ in 0..QUIET_ROOMS_SOUGHT {
            let Some(room) = self.awake.too_many(next) else { return };
            self.put_to_sleep(room, Urgency::WhenQuiet, Instant::now());
        }
        for _ in 0..self.awake.len() {
            let Some(room) = self.awake.far_too_many(next) else { return };
            self.put_to_sleep(room, Urgency::Now, Instant::now());
        }
    }

    fn put_to_sleep(&mut self, room: RoomKey, urgency: Urgency, now: Instant) {
        match self.rooms.put_to_sleep(room, urgency, now) {
            PutToSleep::Lost => self.lose(room),
            PutToSleep::Done(compression) => {
                self.awake.sleeps(room);
                if let Some(compression) = compression {
                    self.shared.compressor.compress(compression);
                }
            }
            PutToSleep::Busy => self.awake.pass_over(room, now),
        }
    }

    /// Takes a room back whose turn is over, and does what follows from that turn.
    fn take_back(&mut self, returned: Returned<F>) -> Turn<F> {
        let Returned { key, mut turn, outcome } = returned;
        let now = Instant::now();
        for joined in std::mem::take(&mut turn.joined) {
            self.settle_in(joined.socket, key, joined.connection);
        }
        let departures = std::mem::take(&mut turn.departures);
        if !matches!(outcome, Outcome::GoesOn(..)) {
            self.awake.forget(key);
            // Its sockets go with it; the buffer is another room's next.
            turn.ready.clear();
        }
        match outcome {
            Outcome::GoesOn(room, awake) => {
                let id = room.id().clone();
                match self.rooms.check_in(key, room, awake, &mut turn, now) {
                    CheckedIn::Awake(Awake { bytes, heard: true }) => {
                        self.awake.note(key, bytes, now);
                    }
                    CheckedIn::Awake(Awake { bytes, .. }) => {
                        self.awake.note_idle(key, bytes, now);
                    }
                    CheckedIn::Other => self.awake.forget(key),
                    CheckedIn::Removed(attends_at) => {
                        self.awake.forget(key);
                        self.shared.census.room_goes();
                        if let (Some(when), Some(_)) = (attends_at, &self.kept) {
                            self.alarms.add(when, id);
                        }
                    }
                }
                departures.into_iter().for_each(|departure| self.part(departure, key));
            }
            Outcome::Over(end) => {
                departures.into_iter().for_each(|departure| self.part(departure, key));
                let mut orders = std::mem::take(&mut turn.orders);
                let id = self.rooms.take_away(key, &mut orders);
                self.shared.census.room_goes();
                tracing::debug!(room = &*id, "the room has ended");
                self.carry_over(&id, key, orders, &end);
            }
            Outcome::NotStarted => {
                let mut orders = std::mem::take(&mut turn.orders);
                self.rooms.take_away(key, &mut orders);
                self.shared.census.room_goes();
                let reason = "room failed: it could not start";
                self.refuse(key, orders, CloseCode::ROOM_FAILED, reason);
            }
            Outcome::Lost => {
                turn.orders.clear();
                self.lose(key);
            }
        }
        turn
    }

    /// Forgets a room that panicked outside its events, with its sockets.
    fn lose(&mut self, room: RoomKey) {
        self.awake.forget(room);
        self.rooms.take_away(room, &mut Vec::new());
        self.shared.census.room_goes();
        self.free_all_of(room);
    }

    /// Whoever came too late for a room that is over gets a fresh one, unless the server ends.
    fn carry_over(&mut self, id: &str, old: RoomKey, orders: Vec<Order<F>>, end: &End) {
        if matches!(end, End::ShutDown) {
            let (code, reason) = self.shared.closing();
            return self.refuse(old, orders, code, reason);
        }
        for order in orders {
            if let Order::Join(arrival) = order {
                let fresh = match self.rooms.find(id) {
                    Some(fresh) => fresh,
                    None => {
                        // It takes the place of the one that is over.
                        self.shared.census.room_comes(usize::MAX);
                        self.rooms.add(id)
                    }
                };
                self.rooms.sit_down(fresh);
                // What it has sent meanwhile is there to be read.
                let kind = places::PlaceKind::Joining { room: fresh, news: places::News::AtEnd };
                self.set_place(arrival.socket, kind);
                self.order(fresh, Order::Join(arrival));
            }
        }
    }

    /// Takes leave of clients whose room does not let them in.
    fn refuse(&mut self, room: RoomKey, orders: Vec<Order<F>>, code: CloseCode, why: &'static str) {
        for order in orders {
            if let Order::Join(arrival) = order {
                let departure = crate::room::Departure {
                    socket: arrival.socket,
                    stream: arrival.stream,
                    queue: VecDeque::new(),
                    leaving: Leaving::Closed(code, why),
                };
                self.part(departure, room);
            }
        }
    }

    fn free_all_of(&mut self, lost: RoomKey) {
        let of_lost = |kind: &places::PlaceKind| match kind {
            places::PlaceKind::Joining { room, .. } | places::PlaceKind::Member { room, .. } => {
                *room == lost
            }
            _ => false,
        };
        let sockets: Vec<u32> = self
            .places
            .iter()
            .filter(|(_, place)| of_lost(&place.kind))
            .map(|(socket, _)| socket as u32)
            .collect();
        sockets.into_iter().for_each(|socket| self.free(socket));
    }

    /// Lets nobody in any more, and has every room close its clients and end.
    fn shut_down(&mut self, now: Instant) {
        self.listener = None;
        self.ends_at = Some(now + self.shared.config.shutdown_timeout);
        let greetings: Vec<u32> = self
            .places
            .iter()
            .filter(|(_, place)| matches!(place.kind, places::PlaceKind::Greeting(_)))
            .map(|(socket, _)| socket as u32)
            .collect();
        greetings.into_iter().for_each(|socket| self.free(socket));
        self.rooms.order_all(|| Order::ShutDown);
    }

    fn has_ended(&self, now: Instant) -> bool {
        let Some(ends_at) = self.ends_at else { return false };
        if now >= ends_at {
            tracing::warn!("some clients did not take their leave in time");
            return true;
        }
        self.rooms.is_empty() && self.places.is_empty()
    }
}

impl<F: RoomFactory> Work for Shard<F> {
    fn go_on(self: Box<Self>) {
        self.run();
    }

    fn stack_bytes(&self) -> Option<usize> {
        self.shared.config.thread_stack_bytes
    }
}

impl<F: RoomFactory> Errand<F> {
    /// The room's turn. Knows nothing of the shard, which may be on another thread by now.
    fn run(self, opener: Option<Opener<F>>, shard: usize) -> Returned<F> {
        let Errand { key, id, mut room, mut turn } = self;
        let now = Instant::now();
        // The room itself stays outside: dropping it may be the next thing that panics.
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            if let Some(opener) = opener {
                room =
                    DrivenRoom::open(opener, Address { shard, room: key }, &id, now).map(Box::new);
            }
            let Some(room) = &mut room else { return Err(None) };
            let heard_before = room.heard_at();
            match room.turn(&mut turn, now) {
                Ok(()) => Ok(room.is_awake().then(|| {
                    let heard = room.heard_at() != heard_before;
                    Awake { bytes: room.footprint(), heard }
                })),
                Err(end) => {
                    room.close_all(&end, &mut turn, now);
                    Err(Some(end))
                }
            }
        }));
        counts::add(|counts| counts.turn_ended(now.elapsed()));
        let outcome = match (outcome, room) {
            (Ok(Ok(awake)), Some(room)) => Outcome::GoesOn(room, awake),
            (outcome, room) => {
                discard(&id, room);
                match outcome {
                    Ok(Err(Some(end))) => Outcome::Over(end),
                    Ok(_) => Outcome::NotStarted,
                    Err(_) => {
                        tracing::error!(
                            room = &*id,
                            "a room panicked where it never should: it is lost"
                        );
                        Outcome::Lost
                    }
                }
            }
        };
        Returned { key, turn, outcome }
    }
}
