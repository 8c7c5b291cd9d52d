//! A room from its start to its end: how it is opened, and what a turn of it is.

use super::{
    core::Core,
    driven::DrivenRoom,
    kept::{Kept, not_back},
    turn::{BATCH_BYTES, End, Order, TURN, Turn},
};
use crate::{
    counters,
    factory::RoomFactory,
    incarnation,
    kept::{archive::Archive, code::Code},
    names::Address,
    shared::Shared,
};
use stateroom_room::{Event, Room};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Instant,
};

/// What it takes to have a room: the code of new ones, and the way to those that are kept.
pub(crate) struct Opener<F: RoomFactory> {
    pub(crate) factory: Arc<F>,
    pub(crate) shared: Arc<Shared>,
    /// Where rooms are kept, with the code of new ones; `None` where they are not.
    pub(crate) kept: Option<(Arc<Archive<F>>, Code<F>)>,
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
        let core = match &kept {
            None => match Room::start(&*factory, id, shared.clock.timestamp(now)) {
                Ok(room) => Core::Ephemeral(Box::new(room)),
                Err(failure) => {
                    shared.client_lines.room_not_opened(id, &failure);
                    return None;
                }
            },
            Some((archive, newest)) => {
                match Kept::open(archive.clone(), newest, address, id, shared.sessions, now) {
                    Ok(kept) => Core::Kept(Box::new(kept)),
                    Err(error) => {
                        shared.client_lines.room_not_opened(id, &error);
                        return None;
                    }
                }
            }
        };
        tracing::debug!(room = &**id, "the room has started");
        let newest = kept.map(|(_, newest)| newest.factory);
        let mut room = DrivenRoom::new(core, id, shared, now);
        if let Some(newest) = newest
            && let Err(error) = room.swap(&newest, now)
        {
            room.shared.client_lines.room_not_opened(id, &error);
            return None;
        }
        if let Some(kept) = room.core.kept() {
            // After new code, whose limits come with it.
            let (limits, config) = (kept.code.factory.limits(), kept.code.factory.config());
            let now = room.shared.clock.timestamp(now);
            kept.room.set_limits(limits, now);
            kept.room.set_config(config.as_deref(), now);
            kept.room.set_incarnation(incarnation::fresh(), now);
        }
        Some(room)
    }

    /// One turn: hears what is ready, writes what follows from it.
    pub(crate) fn turn(&mut self, turn: &mut Turn<F>, now: Instant) -> Result<(), End> {
        self.turns += 1;
        if let Some(kept) = self.core.kept() {
            kept.begin_turn(now);
        }
        self.let_go_of_the_answered(now);
        if self.has_more_to_say && !self.flushing {
            self.carry_out_commands(turn, now);
        }
        // Nobody comes while others are on their way out: they might be given the same keys.
        let heard = if self.is_busy() { Ok(()) } else { self.hear_everything(turn, now) };
        let took = now.elapsed();
        counters::add(|counters| counters.hearing_nanoseconds += took.as_nanos() as u64);
        if let Some(kept) = self.core.kept() {
            kept.room.computed(took);
        }
        let heard = heard.or_else(|end| self.survive(end, turn, now));
        // While what was heard is on its way to the disk, what is durable is written.
        self.submit();
        // Also after a failure: what was sent before it is delivered.
        let written = self.write_everything(turn, now, heard.is_err());
        turn.ready.append(&mut turn.again);
        heard?;
        written.or_else(|end| self.survive(end, turn, now))?;
        self.submit();
        self.go_to_rest(now);
        match self.core.kept() {
            Some(kept) if kept.room.is_forgotten() => Err(End::Forgotten),
            _ => Ok(()),
        }
    }

    /// Takes all that is ready, and lets the room hear it.
    fn hear_everything(&mut self, turn: &mut Turn<F>, now: Instant) -> Result<(), End> {
        if !self.is_blocked() {
            // Before anybody who comes is told who is there.
            self.disconnect_the_absent(turn, now)?;
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
            self.look_after_sessions(turn, now)?;
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
        (self.sockets.batch_bytes() < BATCH_BYTES || self.flush(now))
            && !self.has_more_to_say
            && now.elapsed() < TURN
    }

    fn carry_out(&mut self, order: Order<F>, turn: &mut Turn<F>, now: Instant) -> Result<(), End> {
        match order {
            Order::Join(arrival) => self.admit(arrival, turn, now)?,
            Order::Request(asked) => self.take_request(asked, turn, now)?,
            Order::Swap(factory) => {
                self.swap(&factory, now).map_err(not_back)?;
                self.carry_out_commands(turn, now);
            }
            Order::Ping(socket) => self.ping(socket),
            Order::LetGo(socket) => self.let_go_silent(socket),
            Order::Expired(socket) => self.let_go_expired(socket, now),
            Order::ShutDown => return Err(End::ShutDown),
            Order::Forget => self.be_forgotten(),
            Order::Answer(_) | Order::BeInMemory => {}
        }
        Ok(())
    }

    /// Whether the order has to wait until nothing of the room is on its way to the store.
    fn holds_up(&mut self, order: &Order<F>) -> bool {
        let Some(kept) = self.core.kept() else { return false };
        kept.swap_waits = matches!(order, Order::Swap(_)) && !kept.room.is_quiet();
        kept.swap_waits
    }
}

/// Drops a room that is over. Its service may panic even then, which is to harm nobody else.
pub(crate) fn discard<F: RoomFactory>(id: &str, room: Option<Box<DrivenRoom<F>>>) {
    if catch_unwind(AssertUnwindSafe(|| drop(room))).is_err() {
        tracing::error!(room = id, "the room's service panicked as it was dropped");
    }
}
