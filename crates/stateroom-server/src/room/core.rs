//! The room inside: one that lives in memory alone, or one that is kept.

use super::kept::{Kept, not_back};
use crate::{counters, factory::RoomFactory, incarnation, retained::Retained, shared::Shared};
use stateroom::ClientId;
use stateroom_room::{
    Command, Event, Room, RoomEnded, Timestamp,
    session::{Asked, Frame, Listened, Output, Request, SessionHost, SocketId},
};
use std::time::Instant;

/// See the [module](self).
pub(super) enum Core<F: RoomFactory> {
    Ephemeral(Box<Room<F::Service>>),
    Kept(Box<Kept<F>>),
}

impl<F: RoomFactory> Core<F> {
    pub(super) fn kept(&mut self) -> Option<&mut Kept<F>> {
        match self {
            Core::Ephemeral(_) => None,
            Core::Kept(kept) => Some(kept),
        }
    }

    /// The room, while it is in memory.
    pub(super) fn room(&self) -> Option<&Room<F::Service>> {
        match self {
            Core::Ephemeral(room) => Some(room),
            Core::Kept(kept) => kept.room.room(),
        }
    }

    pub(super) fn room_mut(&mut self) -> Option<&mut Room<F::Service>> {
        match self {
            Core::Ephemeral(room) => Some(room),
            Core::Kept(kept) => kept.room.room_mut(),
        }
    }

    /// Whether it can hear nothing now.
    pub(super) fn is_blocked(&self) -> bool {
        match self {
            Core::Ephemeral(_) => false,
            Core::Kept(kept) => kept.is_blocked(),
        }
    }

    /// When its timer fires, as the driver counts time.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        match self {
            Core::Ephemeral(room) => room.deadline(),
            Core::Kept(kept) => kept.room.deadline(),
        }
    }

    /// Lets it hear one event, and counts how long it took where that woke it, or brought it to memory.
    pub(super) fn hear(
        &mut self,
        shared: &Shared,
        id: &str,
        event: Event<'_>,
        now: Instant,
    ) -> Result<(), RoomEnded> {
        let asleep_until = (!self.is_awake()).then(Instant::now);
        let timestamp = shared.clock.timestamp(now);
        // A room is asked in each turn whether its timer fires.
        if event != Event::Timer || self.deadline().is_some_and(|deadline| deadline <= timestamp) {
            counters::add(|counters| counters.events += 1);
        }
        let outcome = match self {
            Core::Ephemeral(room) => room.handle(event, timestamp),
            Core::Kept(kept) => kept.hear(id, event, timestamp),
        };
        if let Some(start) = asleep_until.filter(|_| self.is_awake()) {
            shared.occupancy.room_woke(start.elapsed());
        }
        outcome
    }

    /// Has it be in memory.
    pub(super) fn bring_in(&mut self, id: &str) -> Result<(), RoomEnded> {
        match self {
            Core::Ephemeral(_) => Ok(()),
            Core::Kept(kept) => kept.bring_in(id).map_err(not_back),
        }
    }

    /// Hears what a socket has asked for in its handshake.
    pub(super) fn ask(
        &mut self,
        shared: &Shared,
        id: &str,
        (socket, request): (SocketId, &Request),
        token: Option<&str>,
        now: Instant,
    ) -> Result<Asked, RoomEnded> {
        self.bring_in(id)?;
        let now = shared.clock.timestamp(now);
        let settings = (shared.sessions, incarnation::fresh());
        Ok(match self {
            Core::Ephemeral(room) => room.ask(socket, request, token, settings, now),
            Core::Kept(kept) => {
                let asked = kept.room.ask(socket, request, token, settings, now);
                asked.unwrap_or(Asked::Answered)
            }
        })
    }

    /// The sessions, if there are any, and the room's own time.
    pub(super) fn sessions(&mut self, now: Timestamp) -> Option<(&mut SessionHost, Timestamp)> {
        match self {
            Core::Ephemeral(room) => Some((room.sessions()?, now)),
            Core::Kept(kept) => kept.room.sessions(now),
        }
    }

    /// What the room is to hear of a message of `client`, which may be one to its session.
    pub(super) fn event_of<'a>(
        &mut self,
        session: Option<SocketId>,
        client: ClientId,
        frame: Frame<'a>,
        shared: &Shared,
        now: Instant,
    ) -> Option<Event<'a>> {
        let (client, frame) = match session {
            None if self.is_replaced(client) => return None,
            None => (client, frame),
            Some(socket) => {
                let (host, own) = self.sessions(shared.clock.timestamp(now))?;
                match host.listen(socket, frame, own) {
                    Listened::Hear(client, frame) => (client, frame),
                    Listened::Nothing => return None,
                }
            }
        };
        Some(match frame {
            Frame::Text(text) => Event::Text { client, text },
            Frame::Binary(bytes) => Event::Binary { client, bytes },
        })
    }

    /// Whether somebody with a session has the id now of a client without one, whose connection has yet to be closed.
    /// What comes on that is not to count in the session.
    pub(super) fn is_replaced(&self, client: ClientId) -> bool {
        match self {
            Core::Ephemeral(room) => room.has_session(client),
            // Also while the room is not in memory.
            Core::Kept(kept) => kept.room.has_session(client),
        }
    }

    /// When the sessions next have something to do, as the driver counts time.
    pub(super) fn sessions_deadline(&self) -> Option<Timestamp> {
        match self {
            Core::Ephemeral(room) => room.sessions_deadline(),
            Core::Kept(kept) => kept.room.sessions_deadline(),
        }
    }

    /// Gives what is to be said in sessions, and waits for nothing any more: as much as is to be written at once.
    pub(super) fn drain_sessions(&mut self, now: Timestamp, carry_out: impl FnMut(Output<'_>)) {
        match self {
            Core::Ephemeral(room) => room.drain_sessions(u64::MAX, now, carry_out),
            Core::Kept(kept) => kept.room.drain_sessions(now, carry_out),
        }
    }

    /// Whether there is more of it.
    pub(super) fn has_more_to_say(&self) -> bool {
        match self {
            Core::Ephemeral(room) => room.has_more_to_say(u64::MAX),
            Core::Kept(kept) => kept.room.has_more_to_say(),
        }
    }

    /// Notes what is kept to be said again, and drops it if the server as a whole keeps too much.
    pub(super) fn bound_sessions(&mut self, retained: &mut Retained, now: Timestamp) {
        let host = self.sessions(now).map(|(host, _)| host);
        let bytes = host.as_ref().map_or(0, |host| host.ledger().retained_bytes());
        if !retained.hold(bytes)
            && let Some(host) = host
        {
            host.trim(0);
            retained.hold(host.ledger().retained_bytes());
        }
    }

    pub(super) fn is_awake(&self) -> bool {
        self.room().is_some_and(|room| room.is_awake())
    }

    /// Gives the commands that wait for nothing any more.
    pub(super) fn drain_commands(&mut self, carry_out: impl FnMut(Command<'_>)) {
        if let Some(room) = self.room_mut() {
            room.drain_commands(carry_out);
        }
    }

    /// How many events it has heard, and how many of those are durable. Where nothing is kept, as many.
    pub(super) fn events(&self) -> (u64, u64) {
        match self {
            Core::Ephemeral(_) => (0, 0),
            Core::Kept(kept) => (kept.room.events(), kept.room.durable_events()),
        }
    }
}
