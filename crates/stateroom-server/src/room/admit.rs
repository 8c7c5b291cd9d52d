//! How a room lets clients in, and whom it keeps away.

use super::{
    driven::DrivenRoom,
    newcomer::Newcomer,
    offenders::Who,
    turn::{Arrival, Leaving, Turn},
};
use crate::{factory::RoomFactory, websocket::CloseCode};
use stateroom::ClientId;
use stateroom_room::{Event, RoomEnded, session::Close};
use std::time::Instant;

impl<F: RoomFactory> DrivenRoom<F> {
    /// Lets a client in, as soon as the room says so.
    pub(super) fn admit(
        &mut self,
        arrival: Arrival,
        turn: &mut Turn<F>,
        now: Instant,
    ) -> Result<(), RoomEnded> {
        let Arrival { stream, socket, forwarded_for, early, token, session } = arrival;
        let newcomer = Newcomer { stream, socket, forwarded_for, early };
        if self.is_kept_away(&newcomer, token.as_deref(), now) {
            let reason =
                "messages from you, or from your address, made the room fail; come back later";
            let leaving = match session {
                None => Leaving::Closed(CloseCode::POLICY, reason),
                Some(_) => Leaving::Session(Close::Later),
            };
            newcomer.turn_away(leaving, turn);
            return Ok(());
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

    /// Notes that a message of `client` made the room fail: by its token, or else by where it comes from,
    /// unless somebody else in the room comes from there too. Tells whether it is kept away from now on.
    pub(super) fn note_offence(&mut self, client: ClientId, now: Instant) -> bool {
        let Some(key) = self.sockets.key_of(client) else { return false };
        let token = self.core.room().and_then(|room| room.token(client));
        let who = match token {
            Some(token) => Who::of_token(token),
            None => {
                let Some(address) = self.sockets.address(key) else { return false };
                let mut others = self.sockets.keys().into_iter().filter(|other| *other != key);
                if others.any(|other| self.sockets.address(other) == Some(address)) {
                    return false;
                }
                Who::Address(address)
            }
        };
        let kept_away = self.offenders.get_or_insert_default().note(who, now);
        if let Some(time) = kept_away {
            self.shared.client_lines.kept_away(&self.id, client, time);
        }
        kept_away.is_some()
    }

    /// By its token, or by where it comes from where it has none: behind one address there may be many.
    fn is_kept_away(&self, newcomer: &Newcomer, token: Option<&str>, now: Instant) -> bool {
        let Some(offenders) = self.offenders.as_ref().filter(|some| !some.is_empty()) else {
            return false;
        };
        let who = match token {
            Some(token) => Some(Who::of_token(token)),
            None => newcomer.address().map(Who::Address),
        };
        who.is_some_and(|who| offenders.away_until(&who, now).is_some())
    }
}
