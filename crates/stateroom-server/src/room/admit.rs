//! How a room lets clients in, and whom it keeps away.

use super::{
    driven::DrivenRoom,
    newcomer::Newcomer,
    offenders::Who,
    turn::{Arrival, Leaving, Turn},
};
use crate::{factory::RoomFactory, websocket::CloseCode};
use stateroom::ClientId;
use stateroom_room::{
    Event, RoomEnded,
    session::{Close, Request},
};
use std::{net::IpAddr, time::Instant};

impl<F: RoomFactory> DrivenRoom<F> {
    /// Lets a client in, as soon as the room says so.
    pub(super) fn admit(
        &mut self,
        arrival: Arrival,
        turn: &mut Turn<F>,
        now: Instant,
    ) -> Result<(), RoomEnded> {
        let Arrival { stream, socket, forwarded_for, early, token, claims, session } = arrival;
        let newcomer = Newcomer { stream, socket, forwarded_for, early };
        if self.is_kept_away(&newcomer, token.as_deref(), session.as_deref(), now) {
            let reason =
                "messages from you, or from your address, made the room fail; come back later";
            let leaving = match session {
                None => Leaving::Closed(CloseCode::POLICY, reason),
                Some(_) => Leaving::Session(Close::Later),
            };
            newcomer.turn_away(leaving, turn);
            return Ok(());
        }
        if let (Some(token), Some(claims)) = (&token, &claims)
            && let Err(ended) = self.learn(token, claims, turn, now)
        {
            let reason = ended.failure.summary;
            newcomer.turn_away(Leaving::Closed(CloseCode::ROOM_FAILED, reason), turn);
            return Err(ended);
        }
        if let Some(request) = session {
            return self.admit_session(newcomer, &request, token.as_deref(), turn, now);
        }
        self.newcomers.push_back(Some(newcomer));
        let outcome = self.connect(token.as_deref(), turn, now);
        if let Err(ended) = &outcome
            && let Some(Some(newcomer)) = self.newcomers.pop_back()
        {
            // The room failed before it let the client in.
            let reason = ended.failure.summary;
            newcomer.turn_away(Leaving::Closed(CloseCode::ROOM_FAILED, reason), turn);
        }
        outcome
    }

    /// Has the room hear what a newcomer's token says, if that is news.
    fn learn(
        &mut self,
        token: &str,
        claims: &str,
        turn: &mut Turn<F>,
        now: Instant,
    ) -> Result<(), RoomEnded> {
        self.core.bring_in(&self.id)?;
        self.hear(Event::Claims { token, claims }, turn, now)
    }

    /// Has the room hear of a newcomer without a session.
    fn connect(
        &mut self,
        token: Option<&str>,
        turn: &mut Turn<F>,
        now: Instant,
    ) -> Result<(), RoomEnded> {
        if self.session_sockets.is_some() {
            self.core.bring_in(&self.id)?;
        }
        // Without sessions there are as many members as connections, and those are bounded already.
        self.makes_room(token, turn, now)?;
        self.hear(Event::Connect { token }, turn, now)
    }

    /// Notes that a message of `client` made the room fail: by its token, or its session, or else by where it comes
    /// from, unless somebody else in the room comes from there too. Tells whether it is kept away from now on.
    pub(super) fn note_offence(&mut self, client: ClientId, now: Instant) -> bool {
        let Some(key) = self.sockets.key_of(client) else { return false };
        let room = self.core.room();
        let token = room.and_then(|room| room.token(client)).map(Who::of_token);
        let session = room.filter(|room| room.has_session(client)).map(|_| Who::Session(client));
        // Without a token it may begin another session at any time.
        let address = match token {
            Some(_) => None,
            None => self.address_of_one(key).map(Who::Address),
        };
        let offenders = self.offenders.get_or_insert_default();
        let mut kept_away = None;
        // The last of them is what it is known by.
        for who in [address, token.or(session)].into_iter().flatten() {
            kept_away = offenders.note(who, now);
        }
        if let Some(time) = kept_away {
            self.shared.client_lines.kept_away(&self.id, client, time);
        }
        kept_away.is_some()
    }

    /// Where the client on a connection comes from, unless somebody else in the room does too.
    fn address_of_one(&self, key: u32) -> Option<IpAddr> {
        let address = self.sockets.address(key)?;
        let mut others = self.sockets.keys().into_iter().filter(|other| *other != key);
        (!others.any(|other| self.sockets.address(other) == Some(address))).then_some(address)
    }

    /// By its token or its session, or by where it comes from if the room knows neither: behind one address there may
    /// be many.
    fn is_kept_away(
        &mut self,
        newcomer: &Newcomer,
        token: Option<&str>,
        session: Option<&Request>,
        now: Instant,
    ) -> bool {
        if self.offenders.as_ref().is_none_or(|offenders| offenders.is_empty()) {
            return false;
        }
        let sessions = self.core.sessions(self.shared.clock.timestamp(now));
        let known = session.zip(sessions).and_then(|(request, (host, _))| {
            host.ledger().client(request.key.hash()).map(Who::Session)
        });
        let who = token.map(Who::of_token).or(known);
        let who = who.or_else(|| newcomer.address().map(Who::Address));
        let until = |who: Who| self.offenders.as_ref()?.away_until(&who, now);
        who.is_some_and(|who| until(who).is_some())
    }
}
