//! How a room answers who asks it for a session.

use crate::{
    event::Event,
    room::Room,
    session::{Asked, Close, Output, Request, SessionHost, SessionSettings, SocketId},
    sessions::Sessions,
    timestamp::Timestamp,
};
use stateroom::{ClientId, StateroomService};

impl<S: StateroomService> Room<S> {
    /// Hears what a socket has asked for in its handshake, where its client is known by `token`. What follows comes out of
    /// the [sessions](Self::sessions). `incarnation` is a number that no other has, for a room without sessions.
    pub fn ask(
        &mut self,
        socket: SocketId,
        request: &Request,
        token: Option<&str>,
        (settings, incarnation): (SessionSettings, u64),
        now: Timestamp,
    ) -> Asked {
        if self.sessions.ledger().is_none() {
            // No service hears of it, so it can't fail.
            let _ = self.handle(Event::Incarnate { number: incarnation }, now);
        }
        self.sessions.open(settings, self.events(), now);
        let Some(host) = self.sessions.host() else { return Asked::Answered };
        let client = host.ledger().client(request.key.hash());
        // Whoever has somebody's key, and is known to be somebody else.
        let is_other =
            |client| self.members.contains(client) && self.members.token(client) != token;
        if client.is_some_and(is_other) {
            host.refuse(socket, Close::Ended { heard: None });
            return Asked::Answered;
        }
        host.ask(socket, request)
    }

    /// Whether a newcomer with this token takes the place of a member.
    #[must_use]
    pub fn is_member(&self, token: Option<&str>) -> bool {
        self.members.known(token).is_some_and(|client| self.members.contains(client))
    }

    /// The sessions of the room, if there are any.
    pub fn sessions(&mut self) -> Option<&mut SessionHost> {
        self.sessions.host()
    }

    /// Whether the room knows of any session.
    pub(crate) fn has_sessions(&self) -> bool {
        self.sessions.ledger().is_some_and(|ledger| !ledger.is_empty())
    }

    /// Whether `client` has a session.
    #[must_use]
    pub fn has_session(&self, client: ClientId) -> bool {
        self.sessions.ledger().is_some_and(|ledger| ledger.has(client))
    }

    /// When the sessions next have something to do.
    #[must_use]
    pub fn sessions_deadline(&self) -> Option<Timestamp> {
        self.sessions.deadline()
    }

    /// Gives what is to be said in sessions once so many events of the room are durable, in order: as
    /// [much as is to be carried out at once](SessionHost::drain).
    pub fn drain_sessions(
        &mut self,
        durable: u64,
        now: Timestamp,
        carry_out: impl FnMut(Output<'_>),
    ) {
        self.sessions.drain(durable, now, carry_out);
    }

    /// Whether there is more of it.
    #[must_use]
    pub fn has_more_to_say(&self, durable: u64) -> bool {
        matches!(&self.sessions, Sessions::Live(host) if host.has_more(durable))
    }

    /// Lets the clients come back whose sessions are kept, of a room that was brought back.
    pub(crate) fn open_sessions(&mut self, settings: SessionSettings, now: Timestamp) {
        if self.sessions.ledger().is_some() {
            self.sessions.open(settings, self.events(), now);
        }
    }
}
