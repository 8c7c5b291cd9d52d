//! The HTTP requests that a room has heard, until what follows from each is durable and it is answered.

use super::{
    core::Core,
    driven::DrivenRoom,
    offenders::Who,
    turn::{End, Turn},
};
use crate::{
    factory::RoomFactory,
    request::Rejection,
    room_http::{Asked, Outcome, Reply},
};
use stateroom_room::{Event, RoomEnded};
use std::{collections::VecDeque, net::IpAddr, time::Instant};

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Requests {
    last: u64,
    /// In the order of their numbers.
    waiting: VecDeque<Waits>,
}

#[derive(Debug)]
struct Waits {
    number: u64,
    user: Option<String>,
    address: Option<IpAddr>,
    reply: Reply,
}

impl Requests {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Answers the request of this number, as soon as the room says so.
    pub(super) fn answer(&mut self, number: u64, response: &[u8]) {
        if let Some(waits) = self.take(number) {
            waits.reply.send(Outcome::Answered(response.to_vec()));
        }
    }

    fn add(&mut self, user: Option<String>, address: Option<IpAddr>, reply: Reply) -> u64 {
        self.last += 1;
        let number = self.last;
        self.waiting.push_back(Waits { number, user, address, reply });
        number
    }

    fn take(&mut self, number: u64) -> Option<Waits> {
        let place = self.waiting.iter().position(|waits| waits.number == number)?;
        self.waiting.remove(place)
    }
}

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
        let waiting = self.requests.take().map(|requests| requests.waiting).unwrap_or_default();
        if let End::NotKept(_) = end {
            for waits in waiting {
                waits.reply.send(Outcome::Refused(Rejection::NotKept));
            }
        }
    }
}
