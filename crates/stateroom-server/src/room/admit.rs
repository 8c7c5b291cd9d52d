//! How a room lets clients in, and whom it keeps away.

use super::{
    driven::DrivenRoom,
    newcomer::Newcomer,
    offenders::Who,
    turn::{Arrival, Leaving, Turn},
};
use crate::{factory::RoomFactory, websocket::CloseCode};
use stateroom::ClientId;
use stateroom_room::{Event, RoomEnded};
use std::time::Instant;

impl<F: RoomFactory> DrivenRoom<F> {
    /// Lets a client in, as soon as the room says so.
    pub(super) fn admit(
        &mut self,
        arrival: Arrival,
        turn: &mut Turn<F>,
        now: Instant,
    ) -> Result<(), RoomEnded> {
        let Arrival { stream, socket, forwarded_for, early, token } = arrival;
        let newcomer = Newcomer { stream, socket, forwarded_for, early };
        if self.is_kept_away(&newcomer, token.as_deref(), now) {
            let reason =
                "messages from you, or from your address, made the room fail; come back later";
            newcomer.turn_away(Leaving::Closed(CloseCode::POLICY, reason), turn);
            return Ok(());
        }
        self.newcomers.push_back(newcomer);
        let event = Event::Connect { token: token.as_deref() };
        let outcome = self.hear(event, turn, now);
        if let Err(ended) = &outcome
            && let Some(newcomer) = self.newcomers.pop_back()
        {
            // The room failed before it let the client in.
            let reason = ended.failure.summary;
            newcomer.turn_away(Leaving::Closed(CloseCode::ROOM_FAILED, reason), turn);
        }
        outcome
    }

    /// Notes that a message of `client` made the room fail: by its token, or else by where it comes from,
    /// unless somebody else in the room comes from there too.
    pub(super) fn note_offence(&mut self, client: ClientId, now: Instant) {
        let Some(key) = self.sockets.key_of(client) else { return };
        let token = self.core.room().and_then(|room| room.token(client));
        let who = match token {
            Some(token) => Who::of_token(token),
            None => {
                let Some(address) = self.sockets.address(key) else { return };
                let mut others = self.sockets.keys().into_iter().filter(|other| *other != key);
                if others.any(|other| self.sockets.address(other) == Some(address)) {
                    return;
                }
                Who::Address(address)
            }
        };
        if let Some(time) = self.offenders.get_or_insert_default().note(who, now) {
            self.shared.client_lines.kept_away(&self.id, client, time);
        }
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
