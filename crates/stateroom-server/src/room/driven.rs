//! A room that runs, and its sockets: what a turn of it is.

use super::{
    core::Core,
    hear::Newcomer,
    kept::{Kept, not_back},
    leave::AwaitsAnswer,
    offenders::Offenders,
    turn::{BATCH_BYTES, End, Leaving, Order, Ready, TURN, Turn},
};
use crate::{
    counts,
    factory::RoomFactory,
    kept::{archive::Archive, code::Code},
    names::Address,
    shared::Shared,
    sockets::Sockets,
    websocket::CloseCode,
};
use stateroom::Sleep;
use stateroom_room::{CloseReason, Command, Event, Room, RoomEnded, Timestamp};
use std::{
    collections::VecDeque,
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

/// A room that runs, and its sockets.
pub(crate) struct DrivenRoom<F: RoomFactory> {
    pub(super) core: Core<F>,
    pub(super) sockets: Sockets,
    /// The clients that the room has heard of, but has yet to let in.
    pub(super) newcomers: VecDeque<Newcomer>,
    /// What clients that were let in had sent before that, and the room has yet to hear.
    early: Vec<(Ready, Vec<u8>)>,
    /// The connections that end when all that was sent to them is written.
    pub(super) leaving: Vec<(u32, Leaving)>,
    /// The connections that end when all that they have caused is durable, and sent.
    pub(super) awaiting_answers: Vec<AwaitsAnswer>,
    pub(super) offenders: Option<Box<Offenders>>,
    pub(super) id: Arc<str>,
    pub(super) shared: Arc<Shared>,
    /// Since when nobody is connected, while that is so.
    pub(super) empty_since: Instant,
    /// How many turns it has had.
    pub(super) turns: u64,
    /// When something was last written.
    pub(super) last_flush: Instant,
    /// Whether the last flush did not come to its end.
    pub(super) flushing: bool,
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
                    tracing::error!(room = &**id, error = %failure, "the room could not start");
                    return None;
                }
            },
            Some((archive, newest)) => {
                match Kept::open(archive.clone(), newest, address, id, now) {
                    Ok(kept) => Core::Kept(Box::new(kept)),
                    Err(error) => {
                        tracing::error!(room = &**id, %error, "the room could not be opened");
                        return None;
                    }
                }
            }
        };
        tracing::debug!(room = &**id, "the room has started");
        let newest = kept.map(|(_, newest)| newest.factory);
        let mut room = DrivenRoom {
            core,
            sockets: Sockets::default(),
            newcomers: VecDeque::new(),
            early: Vec::new(),
            leaving: Vec::new(),
            awaiting_answers: Vec::new(),
            offenders: None,
            id: id.clone(),
            empty_since: now,
            turns: 0,
            last_flush: now.checked_sub(shared.config.flush_window).unwrap_or(now),
            shared,
            flushing: false,
        };
        if let Some(newest) = newest
            && let Err(error) = room.swap(&newest, now)
        {
            tracing::error!(room = &**id, %error, "the room could not be opened");
            return None;
        }
        if let Some(kept) = room.core.kept() {
            // After new code, whose limits come with it.
            let limits = kept.code.factory.limits();
            kept.room.set_limits(limits, room.shared.clock.timestamp(now));
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
        // Nobody comes while others are on their way out: they might be given the same keys.
        let heard = if self.is_busy() { Ok(()) } else { self.hear_everything(turn, now) };
        let took = now.elapsed();
        counts::add(|counts| counts.hearing_nanoseconds += took.as_nanos() as u64);
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
            && self.core.room().is_none_or(|room| !room.is_waiting() && room.unsubmitted() == 0)
    }

    /// Lets the room sleep, if it is of a kind that can; it wakes by itself.
    pub(crate) fn sleep(&mut self, now: Instant) -> Sleep {
        self.sockets.shrink();
        self.newcomers.shrink_to_fit();
        self.early.shrink_to_fit();
        self.awaiting_answers.shrink_to_fit();
        let Some(room) = self.core.room_mut() else { return Sleep::Asleep(None) };
        let sleep = room.sleep();
        if let (Sleep::Asleep(_), Some(kept)) = (&sleep, self.core.kept()) {
            kept.asleep_since = Some(now);
        }
        sleep
    }

    pub(crate) fn id(&self) -> &Arc<str> {
        &self.id
    }

    pub(crate) fn is_awake(&self) -> bool {
        self.core.is_awake()
    }

    pub(crate) fn is_in_memory(&self) -> bool {
        self.core.room().is_some()
    }

    /// When the room last heard something, if it is in memory.
    pub(crate) fn heard_at(&self) -> Option<Timestamp> {
        self.core.room().map(|room| room.heard_at())
    }

    /// About how many bytes the room's service takes.
    pub(crate) fn footprint(&self) -> usize {
        self.core.room().map_or(0, |room| room.footprint())
    }

    /// When the room has something to do that nobody will tell it.
    pub(crate) fn due(&self) -> Option<Instant> {
        let (timer, is_saving) = match &self.core {
            Core::Kept(kept) if kept.is_blocked() => (kept.looks_again_at(), kept.room.is_saving()),
            Core::Kept(kept) => (self.deadline(), kept.room.is_saving()),
            Core::Ephemeral(_) => (self.deadline(), false),
        };
        let empty = self.is_empty().then(|| self.ends_when_empty_at()).filter(|_| !is_saving);
        let flush = self.sockets.has_batch().then(|| self.flushes_at());
        let answered = self.awaiting_answers.iter().map(|awaits| awaits.until).min();
        let stall = self.sockets.stalls_at();
        [timer, empty, flush, answered, stall, self.leaves_memory_at(), self.absent_until()]
            .into_iter()
            .flatten()
            .min()
    }

    /// When the room's timer fires.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.core.deadline().map(|deadline| self.shared.clock.instant(deadline))
    }

    /// When the room, which nobody is in, has something to do.
    pub(crate) fn attends_at(&self) -> Option<Instant> {
        [self.deadline(), self.absent_until()].into_iter().flatten().min()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sockets.is_empty() && self.newcomers.is_empty()
    }

    /// Whether nobody has been here for so long that the room is over, or need not be in memory.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        let is_saved = match &self.core {
            Core::Kept(kept) => kept.room.is_saved(),
            Core::Ephemeral(_) => true,
        };
        self.is_empty() && now >= self.ends_when_empty_at() && is_saved
    }

    /// Whether the room can hear nothing now.
    pub(crate) fn is_blocked(&self) -> bool {
        self.core.is_blocked()
    }

    pub(super) fn ends_when_empty_at(&self) -> Instant {
        self.empty_since + self.shared.config.empty_room_timeout
    }

    /// When what waits to be written is written at the latest.
    pub(super) fn flushes_at(&self) -> Instant {
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
            Order::Forget => self.be_forgotten(),
            Order::Answer(_) | Order::Attend => {}
        }
        Ok(())
    }

    /// Whether the order has to wait until nothing of the room is on its way to the store.
    fn holds_up(&mut self, order: &Order<F>) -> bool {
        let Some(kept) = self.core.kept() else { return false };
        kept.swap_waits = matches!(order, Order::Swap(_)) && !kept.room.is_quiet();
        kept.swap_waits
    }

    /// Has everything that is kept of the room be forgotten, if nobody is in it and nothing is due.
    fn be_forgotten(&mut self) {
        let is_left = self.is_empty()
            && self
                .core
                .room()
                .is_some_and(|room| room.member_count() == 0 && room.deadline().is_none());
        if let Some(kept) = self.core.kept().filter(|_| is_left) {
            tracing::info!(room = &*self.id, "the room is forgotten: nobody has come for long");
            kept.room.forget();
            self.submit();
        }
    }

    /// Lets the room hear one event, and takes its commands.
    pub(super) fn hear(
        &mut self,
        event: Event<'_>,
        turn: &mut Turn<F>,
        now: Instant,
    ) -> Result<(), RoomEnded> {
        let outcome = self.core.hear(&self.shared, &self.id, event, now);
        self.obey(turn);
        outcome
    }

    /// Carries out the room's commands, as far as the batch.
    pub(super) fn obey(&mut self, turn: &mut Turn<F>) {
        let Self { core, sockets, leaving, newcomers, early, .. } = self;
        core.drain_commands(|command| match command {
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
