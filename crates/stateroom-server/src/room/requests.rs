//! How a room hears HTTP requests, and what becomes of those that it fails at or ends with.

use super::{
    core::Core,
    driven::DrivenRoom,
    offenders::Who,
    turn::{End, Turn},
    waiting_requests::Waits,
};
use crate::{
    factory::RoomFactory,
    request::Rejection,
    room_http::{Asked, Outcome},
};
use stateroom_room::{Event, RoomEnded};
use std::{net::IpAddr, time::Instant};

impl<F: RoomFactory> DrivenRoom<F> {
    /// Has the room hear a request, if anybody still waits for the answer.
    pub(super) fn take_request(
        &mut self,
        asked: Asked,
        turn: &mut Turn<F>,
        now: Instant,
    ) -> Result<(), RoomEnded> {
        let Asked { request, user, address, reply, .. } = asked;
        if reply.is_closed() {
            return Ok(());
        }
        if self.is_away(user.as_deref(), address, now) {
            reply.send(Outcome::KeptAway);
            return Ok(());
        }
        if self.is_empty() {
            self.empty_since = now;
        }
        let number = self.requests.get_or_insert_default().add(user, address, reply);
        let outcome = self.hear(Event::Request { number, request: &request }, turn, now);
        if outcome.is_err() {
            let is_heard = match &self.core {
                Core::Ephemeral(_) => true,
                // It is told when the room is as it was before.
                Core::Kept(kept) if kept.room.has_failed() => return outcome,
                // One that could not be brought to memory has heard nothing.
                Core::Kept(kept) => kept.room.is_in_memory(),
            };
            let waits = self.requests.as_mut().and_then(|requests| requests.take(number));
            if let Some(waits) = waits {
                waits.reply.send(match is_heard {
                    true => Outcome::Failed,
                    false => Outcome::Refused(Rejection::RoomNotOpened),
                });
            }
        }
        outcome
    }

    /// The room has failed at the request of this number, and is as it was before.
    pub(super) fn request_failed(&mut self, number: u64, now: Instant) {
        let waits = self.requests.as_mut().and_then(|requests| requests.take(number));
        let Some(Waits { user, address, reply, .. }) = waits else { return };
        if let Some(who) = self.sender(user.as_deref(), address) {
            self.offenders.get_or_insert_default().note(who, now);
        }
        reply.send(Outcome::Failed);
    }

    /// By what the sender of a request is known again: whoever has not logged in by its address, unless somebody in the
    /// room comes from there too.
    fn sender(&self, user: Option<&str>, address: Option<IpAddr>) -> Option<Who> {
        if let Some(user) = user {
            return Some(Who::of_token(&format!("\0{user}")));
        }
        let is_here = |key: u32| self.sockets.address(key) == address;
        address.filter(|_| !self.sockets.keys().into_iter().any(is_here)).map(Who::Address)
    }

    fn is_away(&self, user: Option<&str>, address: Option<IpAddr>, now: Instant) -> bool {
        let Some(offenders) = self.offenders.as_ref().filter(|all| !all.is_empty()) else {
            return false;
        };
        let who = self.sender(user, address);
        who.is_some_and(|who| offenders.away_until(&who, now).is_some())
    }

    /// The room is over. Those who wait are told so if nothing of what they asked has happened; else their connections are
    /// closed without an answer.
    pub(super) fn end_requests(&mut self, end: &End) {
        let waiting =
            self.requests.take().map(|requests| requests.into_waiting()).unwrap_or_default();
        if let End::NotKept(_) = end {
            for waits in waiting {
                waits.reply.send(Outcome::Refused(Rejection::NotKept));
            }
        }
    }
}
