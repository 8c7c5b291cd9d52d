//! A kept room between its answers: what it hears, and what it waits for.

use super::{
    failed_event::{Failed, Retry, SetAside},
    pace::Pace,
};
use crate::{
    command::Command,
    event::Event,
    failure::{RoomEnded, StartFailure},
    outbox::RoomContext,
    record::Records,
    room::Room,
    session::SessionSettings,
    sessions::Sessions,
    state::RoomState,
    timestamp::Timestamp,
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

/// A room that is kept, as a pure state machine. Events, answers and a time go in; what is to be kept, commands
/// and a deadline come out. Whoever drives it only carries.
///
/// ```text
///              handle: the event fails                submit, kept: all before it is durable
///   in memory ─────────────────────────► failed ──────────────────────────► to be brought back
///    ▲  ▲  │                                                                       │
///    │  │  └──── take_state, state_kept, leave_memory: nobody needs it ──► at rest │
///    │  └──────────────────────────────── bring_in ───────────────────────────┘    │
///    └─────────────────────────────────── back_again ──────────────────────────────┘
/// ```
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
    pub(super) room: Option<Box<Room<S>>>,
    /// Whether it keeps records of its events, rather than states alone.
    pub(super) records_events: bool,
    /// How far the room's time is ahead of the driver's.
    pub(super) ahead: Duration,
    pub(super) at_rest: AtRest,
    /// The state that has yet to be kept first; `None` once it is on its way.
    pub(super) first: Option<RoomState>,
    pub(super) aside: Vec<SetAside>,
    pub(super) on_its_way: Option<OnItsWay>,
    /// After how many events it is durable.
    pub(super) durable: u64,
    pub(super) forgetting: Forgetting,
    /// After how many events its state is kept.
    pub(super) saved: Option<u64>,
    /// Whether anything is kept of it, or is on its way.
    pub(super) is_known: bool,
    /// Whether a state is on its way.
    pub(super) saving: bool,
    pub(super) pace: Pace,
    pub(super) failed: Option<Box<Failed>>,
    pub(super) retry: Option<Retry>,
    /// Those who were in the room when it was last in memory, until they are back or given up.
    pub(super) absent: Vec<ClientId>,
    pub(super) absent_until: Timestamp,
}

/// What is known of a room that is not in memory.
#[derive(Debug, Default)]
pub(super) struct AtRest {
    pub(super) events: u64,
    pub(super) deadline: Option<Timestamp>,
    pub(super) sessions: Sessions,
}

/// What was submitted, and is not durable yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct OnItsWay {
    /// After how many events the room was.
    pub(super) events: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Forgetting {
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
    /// unless they have come back, but clients with sessions when their grace is over. If other code is to [take it over](Self::take_over), that comes next, and
    /// then what it may use now: see [`set_limits`](Self::set_limits).
    #[must_use]
    pub fn open(
        mut room: Room<S>,
        (saved, journal_bytes): (u64, usize),
        records_events: bool,
        settings: SessionSettings,
        now: Timestamp,
        absent_until: Timestamp,
    ) -> Self {
        let ahead = room.heard_at().since(now);
        room.open_sessions(settings, now.after(ahead));
        let has_session = |client: &ClientId| room.has_session(*client);
        let absent = room.members().filter(|client| !has_session(client)).collect();
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
            is_known: saved.is_some(),
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

    /// Has the room hear what the settings of its service say from now on, unless it knows. It must be in memory.
    pub fn set_config(&mut self, config: Option<&str>, now: Timestamp) {
        // No service hears of it, so it can't fail.
        let _ = self.handle(Event::Configure { config: config.unwrap_or_default() }, now);
    }

    /// The room's own time: that of the driver, but never before what the room has heard already. A room
    /// whose clock was ahead goes on from there, and its timers keep their distance.
    pub(super) fn own_time(&self, now: Timestamp) -> Timestamp {
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

    /// Has its state be due soon, if its journal is worth it: whoever keeps it would have to copy that.
    pub fn want_state(&mut self) {
        self.pace.want();
    }

    /// Notes how many bytes its state has that is kept.
    pub fn state_has(&mut self, bytes: usize) {
        self.pace.state_has(bytes);
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

    /// When it last heard something, in its own time; nothing while it is not in memory.
    #[must_use]
    pub fn heard_at(&self) -> Option<Timestamp> {
        self.room.as_ref().map(|room| room.heard_at())
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
}
