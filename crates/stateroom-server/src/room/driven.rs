//! A room that runs, and its sockets: what there is of it, and how it hears one event.

use super::{
    core::Core,
    last_answers::LastAnswers,
    newcomer::Newcomer,
    offenders::Offenders,
    session_sockets::SessionSockets,
    turn::{BATCH_BYTES, Leaving, Order, Ready, Turn},
    waiting_requests::Requests,
};
use crate::{
    factory::RoomFactory,
    shared::Shared,
    sockets::{Line, Sockets},
    websocket::CloseCode,
};
use stateroom_room::{CloseReason, Command, Event, RoomEnded, Timestamp, session::Close};
use std::{collections::VecDeque, sync::Arc, time::Instant};

/// A room that runs, and its sockets.
pub(crate) struct DrivenRoom<F: RoomFactory> {
    pub(super) core: Core<F>,
    pub(super) sockets: Sockets,
    /// The clients that the room has heard of, but has yet to let in; nothing in the place of those with sessions,
    /// who are let in when they are welcomed.
    pub(super) newcomers: VecDeque<Option<Newcomer>>,
    /// The sockets of clients with sessions, where there ever were any.
    pub(super) session_sockets: Option<Box<SessionSockets>>,
    /// What clients that were let in had sent before that, and the room has yet to hear.
    pub(super) early: Vec<(Ready, Vec<u8>)>,
    /// The connections that end when all that was sent to them is written.
    pub(super) leaving: Vec<(u32, Leaving)>,
    /// The connections that end when all that they have caused is durable, and sent.
    pub(super) last_answers: LastAnswers,
    pub(super) offenders: Option<Box<Offenders>>,
    /// Where there ever were any.
    pub(super) requests: Option<Box<Requests>>,
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
    /// Whether more is to be said in sessions than goes into one batch.
    pub(super) has_more_to_say: bool,
}

impl<F: RoomFactory> DrivenRoom<F> {
    /// The room `id` with nobody connected.
    pub(super) fn new(core: Core<F>, id: &Arc<str>, shared: Arc<Shared>, now: Instant) -> Self {
        DrivenRoom {
            core,
            sockets: Sockets::default(),
            newcomers: VecDeque::new(),
            session_sockets: None,
            early: Vec::new(),
            leaving: Vec::new(),
            last_answers: LastAnswers::default(),
            offenders: None,
            requests: None,
            id: id.clone(),
            empty_since: now,
            turns: 0,
            last_flush: now.checked_sub(shared.config.flush_window).unwrap_or(now),
            shared,
            flushing: false,
            has_more_to_say: false,
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
        self.carry_out_commands(turn, now);
        outcome
    }

    /// Carries out the room's commands, and what it says in sessions, as far as the batch.
    pub(super) fn carry_out_commands(&mut self, turn: &mut Turn<F>, now: Instant) {
        let Self {
            core,
            sockets,
            leaving,
            newcomers,
            early,
            session_sockets,
            shared,
            requests,
            ..
        } = self;
        let (flushing, has_more_to_say) = (&self.flushing, &mut self.has_more_to_say);
        core.drain_commands(|command| match command {
            Command::Open { client } => {
                if let Some(Some(newcomer)) = newcomers.pop_front() {
                    // Its session, if it had one, is over, though what that has left to say comes later.
                    if let Some(key) = sockets.close(client, Line::Session) {
                        leaving.push((key, Leaving::Session(Close::Moved)));
                    }
                    newcomer.join(client, sockets, early, turn);
                }
            }
            Command::Answer { number, response } => {
                if let Some(requests) = requests {
                    requests.answer(number, response);
                }
            }
            Command::Send { to, kind, bytes } => sockets.send(Line::Plain, to, kind, bytes),
            Command::Close { client, reason: CloseReason::Replaced } => {
                // Whoever has a session is told in it, or when the newcomer joins.
                if let Some(key) = sockets.close(client, Line::Plain) {
                    let reason = "replaced by a newer connection with the same token";
                    leaving.push((key, Leaving::Closed(CloseCode::POLICY, reason)));
                }
            }
            Command::Close { client, reason: CloseReason::Service { code, reason } } => {
                if let Some(key) = sockets.close(client, Line::Plain) {
                    leaving.push((
                        key,
                        Leaving::ByService(CloseCode::of_service(code), reason.into()),
                    ));
                }
            }
        });
        if let Some(session_sockets) = session_sockets.as_deref_mut() {
            let now = shared.clock.timestamp(now);
            if !*flushing && sockets.batch_bytes() < BATCH_BYTES {
                core.drain_sessions(now, |output| {
                    session_sockets.carry_out(output, sockets, early, leaving, turn);
                });
            }
            *has_more_to_say = core.has_more_to_say();
            for socket in std::mem::take(&mut session_sockets.turned_away) {
                if let Some((host, own)) = core.sessions(now) {
                    // It never was anybody's.
                    let _ = host.ended(socket, false, own);
                }
            }
            core.bound_sessions(&mut session_sockets.retained, now);
        }
    }

    /// Has kept what the room has heard, where it is kept.
    pub(super) fn submit(&mut self) {
        if let Some(kept) = self.core.kept() {
            kept.submit(&self.id, &self.shared);
        }
    }

    /// Whether the room has more to do right away.
    pub(crate) fn is_busy(&self) -> bool {
        self.flushing || self.has_more_to_say || !(self.leaving.is_empty() || self.is_blocked())
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

    /// Whether the room can hear nothing now.
    pub(crate) fn is_blocked(&self) -> bool {
        self.core.is_blocked()
    }

    pub(crate) fn id(&self) -> &Arc<str> {
        &self.id
    }

    pub(crate) fn is_awake(&self) -> bool {
        self.core.is_awake()
    }

    /// Whether it is kept as it is.
    pub(crate) fn is_saved(&self) -> bool {
        matches!(&self.core, Core::Kept(kept) if kept.room.is_saved())
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

    pub(super) fn is_empty(&self) -> bool {
        let waits = |sockets: &SessionSockets| sockets.has_waiting();
        self.sockets.is_empty()
            && self.newcomers.is_empty()
            && self.requests.as_ref().is_none_or(|requests| requests.is_empty())
            && !self.session_sockets.as_deref().is_some_and(waits)
    }
}
