//! The sessions of a kept room: what is said in them waits for the disk as everything does, and they are there while
//! the room is not in memory.

use super::kept_room::KeptRoom;
use crate::{
    event::Event,
    session::{Asked, Output, Request, SessionHost, SessionSettings, SocketId},
    sessions::Sessions,
    timestamp::Timestamp,
};
use stateroom::{ClientId, StateroomService};

impl<S: StateroomService> KeptRoom<S> {
    /// Hears what a socket has asked for in its handshake, as [`Room::ask`](crate::Room::ask) does. `None` while the room
    /// is not in memory.
    pub fn ask(
        &mut self,
        socket: SocketId,
        request: &Request,
        token: Option<&str>,
        settings: (SessionSettings, u64),
        now: Timestamp,
    ) -> Option<Asked> {
        let own = self.own_time(now);
        Some(self.room.as_mut()?.ask(socket, request, token, settings, own))
    }

    /// Has a room that was brought back hear that it goes on under another incarnation, if that is of any matter to
    /// somebody. To be called before it [answers](Self::ask) anybody; `number` must be one that no other has.
    pub fn set_incarnation(&mut self, number: u64, now: Timestamp) {
        if self.room.as_ref().is_some_and(|room| room.has_sessions()) {
            // No service hears of it, so it can't fail.
            let _ = self.handle(Event::Incarnate { number }, now);
        }
    }

    /// The sessions of the room, and its own time; nothing if there are none.
    pub fn sessions(&mut self, now: Timestamp) -> Option<(&mut SessionHost, Timestamp)> {
        let own = self.own_time(now);
        Some((self.held_sessions_mut().host()?, own))
    }

    fn held_sessions(&self) -> &Sessions {
        self.room.as_ref().map_or(&self.at_rest.sessions, |room| &room.sessions)
    }

    fn held_sessions_mut(&mut self) -> &mut Sessions {
        match &mut self.room {
            Some(room) => &mut room.sessions,
            None => &mut self.at_rest.sessions,
        }
    }

    /// Whether `client` has a session.
    #[must_use]
    pub fn has_session(&self, client: ClientId) -> bool {
        let sessions = self.room.as_ref().map_or(&self.at_rest.sessions, |room| &room.sessions);
        sessions.ledger().is_some_and(|ledger| ledger.has(client))
    }

    /// When the sessions next have something to do, in the driver's time.
    #[must_use]
    pub fn sessions_deadline(&self) -> Option<Timestamp> {
        Some(self.held_sessions().deadline()?.before(self.ahead))
    }

    /// Gives what is to be said in sessions, and waits for nothing any more, in order: as
    /// [much as is to be carried out at once](SessionHost::drain).
    pub fn drain_sessions(&mut self, now: Timestamp, carry_out: impl FnMut(Output<'_>)) {
        let (durable, own) = (self.durable_events(), self.own_time(now));
        self.held_sessions_mut().drain(durable, own, carry_out);
    }

    /// Whether there is more of it.
    #[must_use]
    pub fn has_more_to_say(&self) -> bool {
        let durable = self.durable_events();
        matches!(self.held_sessions(), Sessions::Live(host) if host.has_more(durable))
    }
}
