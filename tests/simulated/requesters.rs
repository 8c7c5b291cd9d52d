//! What those do who ask by HTTP, and ask again with the same key: each is heard once, answered alike, and never too early.

use super::{misdeed::Misdeed, requester::Requester, visitor::NUMBERS, world::World};
use stateroom::{Request, Response};
use stateroom_room::Event;

/// The numbers that they say are apart from those of visitors.
const FIRST: u64 = 1 << 40;

/// How often somebody asks who is to be answered now.
const TRIES: usize = 20;

impl World {
    /// Somebody asks a room for the first time, or again, or for something else with the same key.
    pub(super) fn request(&mut self, id: &'static str) {
        let known = self.requesters.all.iter().enumerate().filter(|(_, it)| it.room == id);
        let known: Vec<usize> = known.map(|(place, _)| place).collect();
        let place = match known.get(self.random.usize(..2 * known.len().max(1))) {
            Some(place) => *place,
            None => {
                let number = FIRST + NUMBERS * self.requesters.all.len() as u64;
                let is_trap = self.random.u32(..15) == 0;
                if is_trap {
                    self.trapped.push(number);
                }
                self.requesters.all.push(Requester { room: id, number, is_trap, answer: None });
                self.requesters.all.len() - 1
            }
        };
        let is_other = self.requesters.all[place].answer.is_some() && self.random.u32(..8) == 0;
        self.ask_room(place, is_other);
    }

    fn ask_room(&mut self, place: usize, is_other: bool) {
        let Requester { room, number, is_trap, .. } = self.requesters.all[place];
        let body = match (is_other, is_trap) {
            (true, _) => format!("other {number}"),
            (false, true) => format!("trap {number}"),
            (false, false) => number.to_string(),
        };
        let key = format!("key {number}");
        let request = Request::post("/", body).with_header("idempotency-key", &key).encode();
        self.requesters.last += 1;
        let number = self.requesters.last;
        self.requesters.waiting.insert(number, (place, is_other));
        self.tell(room, |_| Some(Event::Request { number, request: &request }));
        if self.misdeed == Some(Misdeed::AnswersEarly) {
            let entered = self.requesters.all[place].number.to_string();
            let early = self.rooms.get_mut(room).filter(|live| !live.kept.has_failed());
            let answer = early.and_then(|live| {
                let said = &live.kept.room_mut()?.service_mut().pages.said;
                said.iter().position(|it| it.is_word_for(&entered, None))
            });
            if let Some(place_of_it) = answer.filter(|_| !is_other) {
                let answer = Response::text(&(place_of_it + 1).to_string());
                self.requesters.all[place].answer.get_or_insert(answer);
                self.requesters.waiting.remove(&number);
            }
        }
    }

    /// A room has answered the request of this number.
    pub(super) fn answered(&mut self, number: u64, response: &[u8]) {
        let Some((place, is_other)) = self.requesters.waiting.remove(&number) else { return };
        let response = Response::decode(response).unwrap();
        let requester = &mut self.requesters.all[place];
        if is_other {
            assert_eq!(response.status, 422, "its key was another request's");
            self.counts.other_requests += 1;
            return;
        }
        assert!(!requester.is_trap, "a request that fails is not answered: {response:?}");
        match &requester.answer {
            None => requester.answer = Some(response),
            Some(before) => {
                assert_eq!(*before, response, "{} is answered as before", requester.number);
                self.counts.answered_again += 1;
            }
        }
        self.counts.answered += 1;
    }

    /// The room failed at the request of this number.
    pub(super) fn unanswered(&mut self, number: u64) {
        if let Some((place, _)) = self.requesters.waiting.remove(&number) {
            assert!(self.requesters.all[place].is_trap, "{number} did not fail");
            self.counts.failed_requests += 1;
        }
    }

    /// Another process begins: nobody is answered who has asked the one before.
    pub(super) fn requests_end(&mut self) {
        self.requesters.waiting.clear();
    }

    /// What was answered is in the room, unless what is durable may be lacking.
    pub(super) fn check_answers(&mut self, id: &'static str, entries: &[u64], may_lack: bool) {
        let mine = self.requesters.all.iter_mut().filter(|requester| requester.room == id);
        for requester in mine.filter(|requester| requester.answer.is_some()) {
            if !entries.contains(&requester.number) {
                assert!(may_lack, "{} was answered, and is lost: {entries:?}", requester.number);
                requester.answer = None;
            }
        }
    }

    /// Whoever asks for long enough is answered, where nothing breaks.
    pub(super) fn answer_everybody(&mut self) {
        for place in 0..self.requesters.all.len() {
            for _ in 0..TRIES {
                let Requester { is_trap, answer, .. } = &self.requesters.all[place];
                if *is_trap || answer.is_some() {
                    break;
                }
                self.ask_room(place, false);
                self.commit_all();
            }
            let Requester { is_trap, answer, number, .. } = &self.requesters.all[place];
            assert!(*is_trap || answer.is_some(), "{number} is never answered");
        }
    }
}
