//! How a shard gives its rooms their turns, and what follows from one.

use super::{
    check_in::{CheckedIn, PutToSleep},
    mailbox::ShardMessage,
    room_turn::{Awake, FinishedTurn, Outcome},
    socket_state::{Readiness, SocketState},
    state::Shard,
    tiers::Urgency,
};
use crate::{
    busy, counters,
    factory::RoomFactory,
    names::RoomKey,
    room::{End, Opener, Order, Turn},
    websocket::CloseCode,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// After this time a room is brought to memory again that ended since what it did could not be kept, as on a
/// full disk; one whose timer is due fails in the same way as long as that lasts.
const LOOK_AGAIN_SOON: Duration = Duration::from_secs(2);

/// And after this one a room that could not be brought back.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// How many rooms are looked at, where one has to sleep, for one that is quiet.
const QUIET_ROOMS_SOUGHT: usize = 16;

impl<F: RoomFactory> Shard<F> {
    /// Gives the next room its turn. Returns the shard, unless the room took so long that another
    /// thread goes on with it.
    pub(super) fn give_turn(mut self: Box<Self>) -> Option<Box<Self>> {
        self.make_room();
        let turn = self.turn.take().unwrap_or_default();
        let room_turn = match self.rooms.check_out(turn) {
            Ok(room_turn) => room_turn,
            Err(turn) => {
                self.turn = Some(turn);
                return Some(self);
            }
        };
        // Only a room that has yet to start needs these, which all shards count the users of.
        let opener = room_turn.room.is_none().then(|| Opener {
            factory: self.factory.clone(),
            shared: self.shared.clone(),
            kept: self.kept.clone(),
        });
        let shard = self.number;
        let mailbox = self.shards.get(self.number).cloned();
        let (finished, kept) = busy::while_lendable(self, || room_turn.run(opener, shard));
        match kept {
            Some(mut shard) => {
                let turn = shard.take_back(finished);
                shard.turn = Some(turn);
                Some(shard)
            }
            None => {
                if let Some(mailbox) = mailbox {
                    mailbox.send(ShardMessage::Counted(Box::new(counters::take())));
                    mailbox.send(ShardMessage::Finished(Box::new(finished)));
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

    pub(super) fn put_to_sleep(&mut self, room: RoomKey, urgency: Urgency, now: Instant) {
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
    pub(super) fn take_back(&mut self, finished: FinishedTurn<F>) -> Turn<F> {
        let FinishedTurn { key, mut turn, outcome } = finished;
        let now = Instant::now();
        for joined in std::mem::take(&mut turn.joined) {
            self.has_joined(joined.socket, key, joined.connection);
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
                    CheckedIn::Removed(due_when_empty) => {
                        self.awake.forget(key);
                        self.shared.occupancy.room_goes();
                        if let (Some(when), Some(_)) = (due_when_empty, &self.kept) {
                            self.timers.add(when, id);
                        }
                    }
                }
                departures.into_iter().for_each(|departure| self.take_over(departure, key));
            }
            Outcome::Over(end) => {
                departures.into_iter().for_each(|departure| self.take_over(departure, key));
                let mut orders = std::mem::take(&mut turn.orders);
                let id = self.rooms.take_away(key, &mut orders);
                self.shared.occupancy.room_goes();
                tracing::debug!(room = &*id, "the room has ended");
                match end {
                    End::NotKept(_) => self.look_again(&id, LOOK_AGAIN_SOON, now),
                    End::Failed(_) => self.look_again(&id, LOOK_AGAIN, now),
                    End::ShutDown | End::Forgotten => {}
                }
                self.join_anew(&id, key, orders, &end);
            }
            Outcome::NotStarted => {
                let mut orders = std::mem::take(&mut turn.orders);
                let id = self.rooms.take_away(key, &mut orders);
                self.shared.occupancy.room_goes();
                if orders.iter().any(|order| matches!(order, Order::BeInMemory)) {
                    self.look_again(&id, LOOK_AGAIN, now);
                }
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

    /// Has a room that is kept, and was given up, in memory again after a while: a timer of it may be due, or
    /// somebody in it be given up.
    fn look_again(&mut self, id: &Arc<str>, after: Duration, now: Instant) {
        if self.kept.is_some() {
            self.timers.add(now + after, id.clone());
        }
    }

    /// Forgets a room that panicked outside its events, with its sockets.
    fn lose(&mut self, room: RoomKey) {
        self.awake.forget(room);
        self.rooms.take_away(room, &mut Vec::new());
        self.shared.occupancy.room_goes();
        self.free_all_of(room);
    }

    /// Whoever came too late for a room that is over gets a fresh one, unless the server ends.
    fn join_anew(&mut self, id: &str, old: RoomKey, orders: Vec<Order<F>>, end: &End) {
        if matches!(end, End::ShutDown) {
            let (code, reason) = self.shared.closing();
            return self.refuse(old, orders, code, reason);
        }
        for order in orders {
            if !matches!(order, Order::Join(_) | Order::Request(_)) {
                continue;
            }
            let fresh = match self.rooms.find(id) {
                Some(fresh) => fresh,
                None => {
                    // It is counted in the place of the one that is over.
                    self.shared.occupancy.room_comes(usize::MAX);
                    self.rooms.add(id)
                }
            };
            if let Order::Join(arrival) = &order {
                self.rooms.client_joins(fresh);
                // What it has sent meanwhile is there to be read.
                let state = SocketState::Joining { room: fresh, readiness: Readiness::AtEnd };
                self.set_state(arrival.socket, state);
            }
            self.rooms.order(fresh, order);
        }
    }
}

impl<F: RoomFactory> busy::Work for Shard<F> {
    fn go_on(self: Box<Self>) {
        self.run();
    }

    fn stack_bytes(&self) -> Option<usize> {
        self.shared.config.thread_stack_bytes
    }
}
