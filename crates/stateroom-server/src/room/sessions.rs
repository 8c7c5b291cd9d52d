//! How a room lets in clients with sessions, and how it hears that they have gone. What follows from what is decided in
//! [`stateroom_room::session`].

use super::{
    core::Core,
    driven::DrivenRoom,
    newcomer::Newcomer,
    session_sockets::SessionSockets,
    turn::{Leaving, Turn},
};
use crate::{factory::RoomFactory, websocket::CloseCode};
use stateroom::{ClientId, LeaveReason};
use stateroom_room::{
    Event, RoomEnded,
    session::{Asked, Close, KeyHash, Request, SocketId},
};
use std::time::{Duration, Instant};

/// When what is due comes so late, the room could not hear.
const DEAF: Duration = Duration::from_secs(1);

impl<F: RoomFactory> DrivenRoom<F> {
    /// Has a newcomer that asks for a session wait for its welcome.
    pub(super) fn admit_session(
        &mut self,
        newcomer: Newcomer,
        request: &Request,
        token: Option<&str>,
        turn: &mut Turn<F>,
        now: Instant,
    ) -> Result<(), RoomEnded> {
        let second = now.saturating_duration_since(self.shared.started).as_secs() as u32;
        if !self.shared.resumes.may(second) {
            newcomer.turn_away(Leaving::Session(Close::Later), turn);
            return Ok(());
        }
        let new = || Box::new(SessionSockets::new(&self.shared.retained));
        let socket = self.session_sockets.get_or_insert_with(new).wait(newcomer);
        let asked = self.core.ask(&self.shared, &self.id, (socket, request), token, now);
        let outcome = asked.and_then(|asked| match asked {
            Asked::Connect(key) => self.join(socket, (token, key), turn, now),
            Asked::Answered => Ok(()),
        });
        if let Err(ended) = &outcome {
            // The room failed before it let the client in.
            self.session_ended(socket, false, now);
            let waiting = self.session_sockets.as_mut().and_then(|sockets| sockets.take(socket));
            if let Some(newcomer) = waiting {
                let reason = ended.failure.summary;
                newcomer.turn_away(Leaving::Closed(CloseCode::ROOM_FAILED, reason), turn);
            }
        }
        self.carry_out_commands(turn, now);
        outcome
    }

    /// Has the room hear that a client joins that it has not known.
    fn join(
        &mut self,
        socket: SocketId,
        (token, key): (Option<&str>, KeyHash),
        turn: &mut Turn<F>,
        now: Instant,
    ) -> Result<(), RoomEnded> {
        if !self.makes_room(token, turn, now)? {
            if let Some((host, _)) = self.core.sessions(self.shared.clock.timestamp(now)) {
                host.refuse(socket, Close::Later);
            }
            return Ok(());
        }
        self.newcomers.push_back(None);
        let outcome = self.hear(Event::Join { token, key }, turn, now);
        if outcome.is_err() {
            self.newcomers.pop_back();
        }
        outcome
    }

    /// Tells whether the room, which must be in memory, has a place for a newcomer. If it has as many members as it may,
    /// whoever has been away the longest leaves.
    pub(super) fn makes_room(
        &mut self,
        token: Option<&str>,
        turn: &mut Turn<F>,
        now: Instant,
    ) -> Result<bool, RoomEnded> {
        let most = self.shared.config.max_clients_per_room;
        let is_full = |core: &Core<F>| {
            core.room().is_some_and(|room| room.member_count() >= most && !room.is_member(token))
        };
        if !is_full(&self.core) {
            return Ok(true);
        }
        let sessions = self.core.sessions(self.shared.clock.timestamp(now));
        if let Some(client) = sessions.and_then(|(host, _)| host.longest_away()) {
            self.hear(Event::Leave { client, reason: LeaveReason::Lost }, turn, now)?;
        }
        Ok(!is_full(&self.core))
    }

    /// Has the sessions do what is due, and the room hear of those who have stayed away too long.
    pub(super) fn look_after_sessions(
        &mut self,
        turn: &mut Turn<F>,
        now: Instant,
    ) -> Result<(), RoomEnded> {
        let timestamp = self.shared.clock.timestamp(now);
        let due = self.core.sessions_deadline().filter(|deadline| *deadline <= timestamp);
        let (Some(due), Some((host, own))) = (due, self.core.sessions(timestamp)) else {
            return Ok(());
        };
        if timestamp.since(due) >= DEAF {
            // The process stood still, or the store did: nobody could come back meanwhile.
            host.was_deaf(own);
        }
        for client in host.timer(own) {
            if self.core.is_blocked() {
                // It is told again.
                break;
            }
            self.hear(Event::Leave { client, reason: LeaveReason::Lost }, turn, now)?;
        }
        self.carry_out_commands(turn, now);
        Ok(())
    }

    /// Notes that the socket of a session has ended, and tells who has left by that. `by_client` says that it was the
    /// client's wish.
    pub(super) fn session_ended(
        &mut self,
        socket: SocketId,
        by_client: bool,
        now: Instant,
    ) -> Option<ClientId> {
        if let Some(sockets) = &mut self.session_sockets {
            sockets.forget(socket);
        }
        let (host, own) = self.core.sessions(self.shared.clock.timestamp(now))?;
        host.ended(socket, by_client, own)
    }
}
