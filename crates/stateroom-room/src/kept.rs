//! A room that is kept, as a pure state machine: what it wants to be kept, what waits for that, and what it
//! does after a setback. Events, answers and a time go in; what is to be kept, commands and a deadline come
//! out. Whoever drives it only carries.
//!
//! ```text
//!              handle: the event fails                submit, kept: all before it is durable
//!   in memory ─────────────────────────► failed ──────────────────────────► to be brought back
//!    ▲  ▲  │                                                                       │
//!    │  │  └──── take_state, state_kept, leave_memory: nobody needs it ──► at rest │
//!    │  └──────────────────────────────── bring_in ───────────────────────────┘    │
//!    └─────────────────────────────────── back_again ──────────────────────────────┘
//! ```

use crate::{
    Command, Consequence, Event, Records, Room, RoomContext, RoomEnded, RoomState, SetAside,
    StartFailure, TakeOverFailure, Timestamp,
    pace::Pace,
    setback::{Cause, Failed, Retry},
};
use stateroom::{Birth, ClientId, MemoryLimits, StateroomService, StateroomServiceFactory};
use std::time::Duration;

/// When the records that wait to be submitted, or the commands that wait for those on their way, take this
/// many bytes, the room hears nothing more until what is on its way is durable. A single event may go
/// past it.
pub const MAX_UNKEPT_BYTES: usize = 1024 * 1024;

/// Something to be kept of a room. What is submitted together is to be kept whole or not at all.
#[derive(Debug)]
pub enum Keep {
    /// The room as it was after some of its events.
    State(RoomState),
    /// What it has heard.
    Records(Records),
    /// An event that failed.
    SetAside(SetAside),
    /// Nothing of it is needed any more.
    Forget,
}

/// See the [module](self).
///
/// A driver goes round like this:
/// 1. [`handle`](Self::handle) events while the room [is not blocked](Self::is_blocked), and tell what they
///    [cost](Self::computed);
/// 2. [`submit`](Self::submit), and if something comes out, have it kept; when that is done, say
///    [`kept`](Self::kept) and carry out the [commands](Self::drain_commands);
/// 3. if a [state is due](Self::state_is_due), [take it](Self::take_state), have it kept, and say
///    [`state_kept`](Self::state_kept);
/// 4. if it [is to be brought back](Self::is_to_be_brought_back), make it again of what is kept, and give it
///    to [`back_again`](Self::back_again);
/// 5. wait, at the longest until [`deadline`](Self::deadline), then give it [`Event::Timer`].
#[derive(Debug)]
pub struct KeptRoom<S> {
    /// `None` while it is at rest.
    room: Option<Box<Room<S>>>,
    /// Whether it keeps records of its events, rather than states alone.
    records_events: bool,
    /// How far the room's time is ahead of the driver's.
    ahead: Duration,
    at_rest: AtRest,
    /// The state that has yet to be kept first; `None` once it is on its way.
    first: Option<RoomState>,
    aside: Vec<SetAside>,
    on_its_way: Option<OnItsWay>,
    /// After how many events it is durable.
    durable: u64,
    forgetting: Forgetting,
    /// After how many events its state is kept.
    saved: Option<u64>,
    /// Whether a state is on its way.
    saving: bool,
    pace: Pace,
    failed: Option<Box<Failed>>,
    retry: Option<Retry>,
    /// Those who were in the room when it was last in memory, until they are back or given up.
    absent: Vec<ClientId>,
    absent_until: Timestamp,
}

/// What is known of a room that is not in memory.
#[derive(Debug, Clone, Copy, Default)]
struct AtRest {
    events: u64,
    deadline: Option<Timestamp>,
}

/// What was submitted, and is not durable yet.
#[derive(Debug, Clone, Copy)]
struct OnItsWay {
    /// After how many events the room was.
    events: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Forgetting {
    No,
    Wanted,
    OnItsWay,
    Done,
}

impl<S: StateroomService> KeptRoom<S> {
    /// Starts the room `id`, of which nothing is kept yet.
    ///
    /// With `records_events`, everything it hears is kept, and its commands wait for that. Without, only
    /// states are; its commands wait for nothing, and an event that fails ends it.
    ///
    /// # Errors
    /// When the service cannot be started.
    pub fn found<F>(
        factory: &F,
        id: &str,
        birth: &Birth,
        records_events: bool,
    ) -> Result<Self, StartFailure<F::Error>>
    where
        F: StateroomServiceFactory<RoomContext, Service = S>,
    {
        let mut room = Room::found(factory, id, birth)?;
        let first = if records_events { room.state() } else { None };
        Ok(Self { first, ..Self::with(room, None, records_events) })
    }

    /// Goes on with a room that was [brought back](Room::bring_back) at the time `now`, from its state after
    /// `saved` events and `journal_bytes` of journal. Those who were in it are given up at `absent_until`,
    /// unless they have come back. If other code is to [take it over](Self::take_over), that comes next, and
    /// then what it may use now: see [`set_limits`](Self::set_limits).
    #[must_use]
    pub fn open(
        room: Room<S>,
        (saved, journal_bytes): (u64, usize),
        records_events: bool,
        now: Timestamp,
        absent_until: Timestamp,
    ) -> Self {
        let absent = room.members().collect();
        let ahead = room.heard_at().since(now);
        let mut kept = Self::with(room, Some(saved), records_events);
        kept.pace.recorded(journal_bytes);
        (kept.absent, kept.absent_until, kept.ahead) = (absent, absent_until, ahead);
        kept
    }

    fn with(mut room: Room<S>, saved: Option<u64>, records_events: bool) -> Self {
        if !records_events {
            room.keep_no_records();
        }
        let events = room.events();
        KeptRoom {
            room: Some(Box::new(room)),
            records_events,
            ahead: Duration::ZERO,
            at_rest: AtRest::default(),
            first: None,
            aside: Vec::new(),
            on_its_way: None,
            durable: events,
            forgetting: Forgetting::No,
            saved,
            saving: false,
            pace: Pace::since(saved.unwrap_or(0)),
            failed: None,
            retry: None,
            absent: Vec::new(),
            absent_until: Timestamp::default(),
        }
    }

    /// Has the room hear that it may use so much from now on, unless it knows. It must be in memory.
    pub fn set_limits(&mut self, limits: MemoryLimits, now: Timestamp) {
        if self.room.as_ref().is_some_and(|room| room.limits() != limits) {
            // If that fails, the room goes back to the moment before, and keeps those it had.
            let _ = self.handle(Event::Limits { limits }, now);
        }
    }

    /// The room's own time: that of the driver, but never before what the room has heard already. A room
    /// whose clock was ahead goes on from there, and its timers keep their distance.
    fn own_time(&self, now: Timestamp) -> Timestamp {
        now.after(self.ahead)
    }

    /// Whether it is in memory. If not, it hears nothing until it is [brought in](Self::bring_in).
    #[must_use]
    pub fn is_in_memory(&self) -> bool {
        self.room.is_some()
    }

    /// The room, while it is in memory.
    #[must_use]
    pub fn room(&self) -> Option<&Room<S>> {
        self.room.as_deref()
    }

    /// The room, for what is no event: to let it sleep and wake.
    pub fn room_mut(&mut self) -> Option<&mut Room<S>> {
        self.room.as_deref_mut()
    }

    /// Whether `event` is worth bringing the room to memory for.
    #[must_use]
    pub fn concerns(&self, event: Event<'_>, now: Timestamp) -> bool {
        event != Event::Timer || self.deadline().is_some_and(|deadline| deadline <= now)
    }

    /// Hears one event at the time `now`; nothing, while it is not in memory.
    ///
    /// # Errors
    /// When the event fails. Where records are kept, the room is [blocked](Self::is_blocked) then until it
    /// is as it was before. Elsewhere it is over.
    pub fn handle(&mut self, event: Event<'_>, now: Timestamp) -> Result<(), RoomEnded> {
        if event == Event::Timer && !self.concerns(event, now) {
            return Ok(());
        }
        let own = self.own_time(now);
        let Some(room) = &mut self.room else { return Ok(()) };
        let outcome = room.handle(event, own);
        match &outcome {
            Ok(()) if event == Event::Timer => self.retry = None,
            Err(ended) if self.records_events && self.failed.is_none() => {
                self.failed = Some(Box::new(Failed::new(event, room.events(), own, ended)));
            }
            Ok(()) | Err(_) => {}
        }
        outcome
    }

    /// Notes that the room has computed for so long, for the events that it has heard or heard again.
    pub fn computed(&mut self, time: Duration) {
        self.pace.computed(time);
    }

    /// Notes how long it took to take its state.
    pub fn took_to_save(&mut self, time: Duration) {
        self.pace.took_to_save(time);
    }

    /// Whether the room may hear nothing now. Everything that it waits for comes as an answer.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.failed.is_some() || self.forgetting != Forgetting::No || self.is_full()
    }

    fn is_full(&self) -> bool {
        let is_full = |room: &Room<S>| {
            room.pending_bytes() >= MAX_UNKEPT_BYTES || room.unsubmitted() >= MAX_UNKEPT_BYTES
        };
        self.on_its_way.is_some() && self.room.as_ref().is_some_and(|room| is_full(room))
    }

    /// Whether an event has failed, and the room is not yet as it was before.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// What is to be kept now, in order; `None` if there is nothing, or something is on its way already.
    /// All commands that there are wait until it is [`kept`](Self::kept).
    pub fn submit(&mut self) -> Option<Vec<Keep>> {
        if self.on_its_way.is_some() || !self.records_events && self.forgetting == Forgetting::No {
            return None;
        }
        let room = self.room.as_mut()?;
        let events = room.events();
        if self.forgetting != Forgetting::No {
            if self.forgetting != Forgetting::Wanted || self.saving {
                return None;
            }
            if self.saved.is_none() {
                // Nobody has heard of it.
                self.forgetting = Forgetting::Done;
                return None;
            }
            self.forgetting = Forgetting::OnItsWay;
            self.on_its_way = Some(OnItsWay { events });
            return Some(vec![Keep::Forget]);
        }
        if self.first.is_none() && room.unsubmitted() == 0 && self.aside.is_empty() {
            return None;
        }
        let records = room.submit()?;
        self.pace.recorded(records.bytes.len());
        let mut keeps = Vec::with_capacity(1);
        if let Some(first) = self.first.take() {
            self.saved = Some(first.at);
            keeps.push(Keep::State(first));
        }
        if records.events > 0 {
            keeps.push(Keep::Records(records));
        }
        keeps.extend(self.aside.drain(..).map(Keep::SetAside));
        self.on_its_way = Some(OnItsWay { events });
        Some(keeps)
    }

    /// Says that what was submitted is durable.
    pub fn kept(&mut self) {
        let Some(OnItsWay { events }) = self.on_its_way.take() else { return };
        if self.forgetting == Forgetting::OnItsWay {
            self.forgetting = Forgetting::Done;
            return;
        }
        self.durable = events;
        if let Some(room) = &mut self.room {
            room.commit();
        }
    }

    /// Gives the commands of the events that are durable, in order.
    pub fn drain_commands(&mut self, carry_out: impl FnMut(Command<'_>)) {
        if let Some(room) = &mut self.room {
            room.drain_commands(carry_out);
        }
    }

    /// How many events it has heard in its life.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.room.as_ref().map_or(self.at_rest.events, |room| room.events())
    }

    /// How many of them are durable, so that their commands wait for nothing any more.
    #[must_use]
    pub fn durable_events(&self) -> u64 {
        if self.records_events { self.durable } else { self.events() }
    }

    /// Whether a state should be [taken](Self::take_state) now, for what it would cost to live again all
    /// since the last.
    #[must_use]
    pub fn state_is_due(&self) -> bool {
        self.records_events && self.may_save() && self.pace.is_due(self.events())
    }

    /// Whether its state can be taken: nothing that is before it has yet to be submitted.
    fn may_save(&self) -> bool {
        let has_submitted = |room: &Room<S>| !self.records_events || room.unsubmitted() == 0;
        !self.saving
            && self.first.is_none()
            && self.failed.is_none()
            && self.forgetting == Forgetting::No
            && self.room.as_ref().is_some_and(|room| has_submitted(room))
    }

    /// The room's state, to be kept after all that was submitted, and without waiting for anything. `None`
    /// if one is on its way, or it can't be saved now.
    pub fn take_state(&mut self) -> Option<RoomState> {
        if !self.may_save() {
            return None;
        }
        let state = self.room.as_mut()?.state()?;
        self.saving = true;
        self.pace.start_over(state.at);
        Some(state)
    }

    /// Says that its state after `at` events is durable.
    pub fn state_kept(&mut self, at: u64) {
        self.saved = Some(at);
        self.saving = false;
    }

    /// Says that the state that was taken could not be kept, which harms nobody.
    pub fn state_not_kept(&mut self) {
        self.saving = false;
    }

    /// Whether a state is on its way.
    #[must_use]
    pub fn is_saving(&self) -> bool {
        self.saving
    }

    /// Whether nothing of the room is on its way, nor has to be.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        let nothing_new = |room: &Room<S>| !self.records_events || room.unsubmitted() == 0;
        self.on_its_way.is_none()
            && self.first.is_none()
            && self.aside.is_empty()
            && !self.saving
            && self.room.as_ref().is_none_or(|room| nothing_new(room))
    }

    /// Whether its state is kept as it is, so that it need not be in memory.
    #[must_use]
    pub fn is_saved(&self) -> bool {
        self.is_quiet() && self.failed.is_none() && self.saved == Some(self.events())
    }

    /// Drops a room that [is saved](Self::is_saved) from memory; does nothing to any other.
    pub fn leave_memory(&mut self) {
        if self.is_saved()
            && let Some(room) = self.room.take()
        {
            self.at_rest = AtRest { events: room.events(), deadline: room.deadline() };
        }
    }

    /// Goes on with a room that was at rest, and was made again of what is kept.
    pub fn bring_in(&mut self, mut room: Room<S>) {
        if !self.records_events {
            room.keep_no_records();
        }
        self.room = Some(Box::new(room));
    }

    /// Whether an event has failed, and all that came before it is durable: so the room can be made again
    /// of what is kept.
    #[must_use]
    pub fn is_to_be_brought_back(&self) -> bool {
        let has_submitted =
            self.room.as_ref().is_none_or(|room| room.unsubmitted() == 0 && !room.is_waiting());
        self.failed.is_some() && self.on_its_way.is_none() && self.first.is_none() && has_submitted
    }

    /// Goes on with the room as it was before the event that failed, and tells what follows for the one who
    /// caused that.
    pub fn back_again(&mut self, room: Room<S>, now: Timestamp) -> Consequence {
        self.bring_in(room);
        let Some(failed) = self.failed.take() else { return Consequence::None };
        let Failed { aside, cause, failure } = *failed;
        self.aside.push(aside);
        match cause {
            Cause::Message(client) => Consequence::Close(client, failure.summary),
            Cause::Connect | Cause::Limits => Consequence::None,
            Cause::Disconnect(client) => {
                // No service hears of it, so it can't fail.
                let _ = self.handle(Event::Forget { client }, now);
                Consequence::None
            }
            Cause::Timer => {
                let deadline = self.room.as_ref().and_then(|room| room.deadline());
                let own = self.own_time(now);
                self.retry = deadline.map(|deadline| Retry::after(self.retry, deadline, own));
                Consequence::None
            }
        }
    }

    /// What has failed, in words, while the room is not yet as it was before.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.failed.as_ref().map(|failed| &*failed.aside.reason)
    }

    /// The same in a few words, which are the same for all failures of a kind.
    #[must_use]
    pub fn failure_summary(&self) -> Option<&'static str> {
        self.failed.as_ref().map(|failed| failed.failure.summary)
    }

    /// When [`Event::Timer`] is next due, in the driver's time.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        let deadline = match &self.room {
            Some(room) => room.deadline(),
            None => self.at_rest.deadline,
        }?;
        let retry = self.retry.and_then(|retry| retry.not_before(deadline));
        Some(retry.map_or(deadline, |retry| retry.max(deadline)).before(self.ahead))
    }

    /// One of those who were in the room before and are to be told as having left: those who have no token
    /// to come back with, and from some time on all. `is_here` tells who is connected.
    pub fn next_absent(
        &mut self,
        now: Timestamp,
        is_here: impl Fn(ClientId) -> bool,
    ) -> Option<ClientId> {
        let room = self.room.as_ref()?;
        let is_given_up = now >= self.absent_until;
        self.absent.retain(|client| !is_here(*client));
        let next = self.absent.iter().position(|client| is_given_up || !room.has_token(*client));
        next.map(|place| self.absent.remove(place))
    }

    /// When all of them are given up; `None` if there are none.
    #[must_use]
    pub fn absent_until(&self) -> Option<Timestamp> {
        (!self.absent.is_empty()).then_some(self.absent_until)
    }

    /// Whether the room, which nobody is in, has anything that is worth keeping: somebody has ever said
    /// something in it, it has a timer, or somebody may come back.
    #[must_use]
    pub fn is_worth_keeping(&self) -> bool {
        self.room.as_ref().is_none_or(|room| {
            room.was_spoken_in() || room.deadline().is_some() || room.member_count() > 0
        })
    }

    /// Has everything that is kept of the room be forgotten. It hears nothing from then on. It must be in
    /// memory.
    pub fn forget(&mut self) {
        if self.forgetting == Forgetting::No && self.room.is_some() {
            self.forgetting = Forgetting::Wanted;
        }
    }

    /// Whether it is forgotten: whoever comes next gets a new room.
    #[must_use]
    pub fn is_forgotten(&self) -> bool {
        self.forgetting == Forgetting::Done
    }

    /// Goes on with the code of `factory`, which takes the state over. To be called when the room [is
    /// quiet](Self::is_quiet) and in memory.
    ///
    /// # Errors
    /// When the two don't agree on the state, or the room is not quiet; the old code goes on then.
    pub fn take_over<F>(
        &mut self,
        factory: &F,
        id: &str,
        birth: &Birth,
    ) -> Result<(), TakeOverFailure>
    where
        F: StateroomServiceFactory<RoomContext, Service = S>,
    {
        if !self.is_quiet() {
            // The state of the new code would come before events that only the old one has heard.
            return Err(TakeOverFailure::NotNow);
        }
        let birth = self.own_birth(birth);
        let Some(room) = &mut self.room else { return Ok(()) };
        room.take_over(factory, id, &birth)?;
        self.runs_other_code();
        Ok(())
    }

    /// Goes on with a new service of `factory` in the place of the old one. To be called when the room [is
    /// quiet](Self::is_quiet) and in memory.
    ///
    /// # Errors
    /// When the new one cannot be started; the old one goes on then.
    pub fn start_anew<F>(
        &mut self,
        factory: &F,
        id: &str,
        birth: &Birth,
    ) -> Result<(), StartFailure<F::Error>>
    where
        F: StateroomServiceFactory<RoomContext, Service = S>,
    {
        let birth = self.own_birth(birth);
        let Some(room) = &mut self.room else { return Ok(()) };
        room.start_anew(factory, id, &birth)?;
        self.runs_other_code();
        Ok(())
    }

    fn own_birth(&self, birth: &Birth) -> Birth {
        Birth { time: birth.time.saturating_add(self.ahead), ..*birth }
    }

    fn runs_other_code(&mut self) {
        // With new code a timer that failed is tried at once.
        (self.saved, self.retry) = (None, None);
        if self.records_events {
            self.first = self.room.as_mut().and_then(|room| room.state());
        }
    }
}

impl<S: StateroomService> KeptRoom<S> {
    /// When it last heard something, in its own time; nothing while it is not in memory.
    #[must_use]
    pub fn heard_at(&self) -> Option<Timestamp> {
        self.room.as_ref().map(|room| room.heard_at())
    }
}
