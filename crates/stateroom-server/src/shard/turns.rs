//! How a shard gives its rooms their turns, and what follows from one.

use super::{
    check_in::{CheckedIn, PutToSleep},
    mailbox::Letter,
    room_turn::{Awake, Outcome, Returned},
    socket_state::{News, PlaceKind},
    state::Shard,
    tiers::Urgency,
};
use crate::{
    busy, counts,
    factory::RoomFactory,
    names::RoomKey,
    room::{End, Opener, Order, Turn},
    websocket::CloseCode,
};
use std::time::Instant;

/// How many rooms are looked at, where one has to sleep, for one that is quiet.
const QUIET_ROOMS_SOUGHT: usize = 16;

impl<F: RoomFactory> Shard<F> {
    /// Gives the next room its turn. Returns the shard, unless the room took so long that another
    /// thread goes on with it.
    pub(super) fn give_turn(mut self: Box<Self>) -> Option<Box<Self>> {
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
    pub(super) fn take_back(&mut self, returned: Returned<F>) -> Turn<F> {
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
                let kind = PlaceKind::Joining { room: fresh, news: News::AtEnd };
                self.set_place(arrival.socket, kind);
                self.rooms.order(fresh, Order::Join(arrival));
            }
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
