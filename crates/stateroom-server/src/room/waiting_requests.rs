//! The HTTP requests that a room has heard, until what follows from each is durable and it is answered.

use crate::room_http::{Outcome, Reply};
use std::{collections::VecDeque, net::IpAddr};

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Requests {
    last: u64,
    /// In the order of their numbers.
    waiting: VecDeque<Waits>,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Waits {
    number: u64,
    /// Who has sent it, if that is known.
    pub(super) user: Option<String>,
    pub(super) address: Option<IpAddr>,
    pub(super) reply: Reply,
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

    /// Takes one more, and gives it a number.
    pub(super) fn add(
        &mut self,
        user: Option<String>,
        address: Option<IpAddr>,
        reply: Reply,
    ) -> u64 {
        self.last += 1;
        let number = self.last;
        self.waiting.push_back(Waits { number, user, address, reply });
        number
    }

    /// Takes the one of this number out.
    pub(super) fn take(&mut self, number: u64) -> Option<Waits> {
        let place = self.waiting.iter().position(|waits| waits.number == number)?;
        self.waiting.remove(place)
    }

    /// All of them.
    pub(super) fn into_waiting(self) -> VecDeque<Waits> {
        self.waiting
    }
}
