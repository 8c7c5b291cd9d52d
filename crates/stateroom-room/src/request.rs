//! How a room hears an HTTP request: it is answered once, and so is whoever sends it again with the same key.

use crate::{
    answers::{Keyed, Known},
    failure::RoomEnded,
    room::Room,
    timestamp::Timestamp,
};
use stateroom::{Request, Response, StateroomService};

/// What is answered where a key was another request's.
const KEY_OF_ANOTHER: u16 = 422;

/// What is answered to bytes that are no request.
const NO_REQUEST: u16 = 400;

impl<S: StateroomService> Room<S> {
    /// Hears a request, or answers as before. Here an answer of the room's own has no body: it must be the same for
    /// ever, as whatever follows from an event.
    pub(crate) fn hear_request(
        &mut self,
        number: u64,
        bytes: &[u8],
        now: Timestamp,
    ) -> Result<(), RoomEnded> {
        let Ok(request) = Request::decode(bytes) else {
            self.answer(number, &Response::new(NO_REQUEST).encode());
            return Ok(());
        };
        let keyed = Keyed::of(&request);
        match keyed.map_or(Known::New, |keyed| self.answers.find(keyed, now)) {
            Known::Answered(before) => {
                self.outbox.with(|outbox| outbox.answer(number, before));
                return Ok(());
            }
            Known::Other => {
                self.answer(number, &Response::new(KEY_OF_ANOTHER).encode());
                return Ok(());
            }
            Known::New => {}
        }
        let mut response = None;
        self.call(now, |service| response = Some(service.request(&request)))?;
        let response = response.unwrap_or_else(|| Response::new(500));
        let answer = response.encode();
        if let Some(keyed) = keyed {
            self.answers.remember(keyed, &answer, now);
        }
        // What only looks, and what is refused, leaves nothing that is worth keeping.
        self.was_spoken_in |= keyed.is_some() || (request.method != "GET" && response.status < 400);
        self.answer(number, &answer);
        Ok(())
    }

    fn answer(&mut self, number: u64, answer: &[u8]) {
        self.outbox.with(|outbox| outbox.answer(number, answer));
    }

    /// Forgets what was answered, as a room does that begins anew.
    pub fn forget_answers(&mut self) {
        self.answers = Default::default();
    }
}
