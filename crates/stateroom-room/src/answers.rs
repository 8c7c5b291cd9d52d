//! What a room has answered to requests with an idempotency key, so that one that is sent again gets the same answer.

use crate::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use stateroom::Request;
use std::{collections::VecDeque, time::Duration};

/// How many answers are remembered, in one room. Past it the oldest are forgotten, as with the next two.
pub const MAX_REMEMBERED_ANSWERS: usize = 1_000;

/// How many bytes they take together, with some 40 for each: 256 KiB. The last is remembered however long it is.
pub const MAX_REMEMBERED_ANSWER_BYTES: usize = 256 * 1024;

/// How long they are remembered.
pub const ANSWERS_ARE_REMEMBERED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// What each takes beside its bytes.
const EACH: usize = 40;

/// The header that tells the key (draft-ietf-httpapi-idempotency-key-header).
const KEY: &str = "idempotency-key";

/// The answers of one room, the oldest first. They follow from the room's events alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answers(VecDeque<Answered>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Answered {
    keyed: Keyed,
    at: Timestamp,
    #[serde(with = "serde_bytes")]
    bytes: Vec<u8>,
}

/// A request with a key, in so few bytes that nobody finds two that are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Keyed {
    /// Of the key, and whose it is.
    key: [u8; 16],
    /// Of what is asked.
    request: [u8; 16],
}

/// What is known of a request with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known<'a> {
    /// It was answered so.
    Answered(&'a [u8]),
    /// Another request had its key.
    Other,
    /// Nothing.
    New,
}

impl Keyed {
    /// What a request is known by, if it has a key and is one that may change something.
    pub(crate) fn of(request: &Request) -> Option<Keyed> {
        let key = request.header(KEY).filter(|_| request.method != "GET")?;
        let body_type = request.header("content-type").unwrap_or_default();
        Some(Keyed {
            key: hash([request.user.as_deref().unwrap_or_default().as_bytes(), key.as_bytes()]),
            request: hash([
                request.method.as_bytes(),
                request.path.as_bytes(),
                request.query.as_bytes(),
                body_type.as_bytes(),
                &request.body,
            ]),
        })
    }
}

fn hash<const N: usize>(parts: [&[u8]; N]) -> [u8; 16] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().first_chunk().copied().unwrap_or_default()
}

impl Answers {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many bytes they take.
    pub(crate) fn bytes(&self) -> usize {
        self.0.iter().map(Answered::size).sum()
    }

    /// What is known of a request at the time `now`.
    pub(crate) fn find(&self, keyed: Keyed, now: Timestamp) -> Known<'_> {
        let is_it = |answered: &&Answered| answered.keyed.key == keyed.key && !answered.is_old(now);
        match self.0.iter().find(is_it) {
            Some(answered) if answered.keyed.request == keyed.request => {
                Known::Answered(&answered.bytes)
            }
            Some(_) => Known::Other,
            None => Known::New,
        }
    }

    /// Remembers an answer, and forgets those for which there is no more room.
    pub(crate) fn remember(&mut self, keyed: Keyed, bytes: &[u8], now: Timestamp) {
        self.0.retain(|answered| !answered.is_old(now));
        self.0.push_back(Answered { keyed, at: now, bytes: bytes.to_vec() });
        let mut all = self.bytes();
        while self.0.len() > 1
            && (self.0.len() > MAX_REMEMBERED_ANSWERS || all > MAX_REMEMBERED_ANSWER_BYTES)
            && let Some(oldest) = self.0.pop_front()
        {
            all -= oldest.size();
        }
    }
}

impl Answered {
    fn is_old(&self, now: Timestamp) -> bool {
        now.since(self.at) >= ANSWERS_ARE_REMEMBERED_FOR
    }

    fn size(&self) -> usize {
        self.bytes.len() + EACH
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_origin(Duration::from_secs(seconds))
    }

    fn keyed(key: &str, body: &str) -> Keyed {
        Keyed::of(&Request::post("/", body).with_header(KEY, key)).unwrap()
    }

    #[test]
    fn a_key_is_its_users_alone_and_only_of_what_may_change_something() {
        let request = Request::post("/a", "x").with_header("Idempotency-Key", "k");
        let same = request.clone().with_header("user-agent", "other");
        assert_eq!(Keyed::of(&request), Keyed::of(&same));
        let of_ada = Keyed::of(&request.clone().with_user("ada")).unwrap();
        assert_ne!(of_ada.key, Keyed::of(&request).unwrap().key);
        let with_type = Keyed::of(&request.clone().with_header("content-type", "a/b")).unwrap();
        assert_eq!(with_type.key, Keyed::of(&request).unwrap().key);
        assert_ne!(with_type, Keyed::of(&request).unwrap());
        assert_eq!(Keyed::of(&Request { method: "GET".into(), ..request }), None);
        assert_eq!(Keyed::of(&Request::post("/a", "x")), None);
    }

    #[test]
    fn answers_are_forgotten_by_age_count_and_bytes_but_never_the_last() {
        let mut answers = Answers::default();
        answers.remember(keyed("a", "x"), b"one", at(0));
        assert_eq!(answers.find(keyed("a", "x"), at(86_399)), Known::Answered(b"one"));
        assert_eq!(answers.find(keyed("a", "y"), at(86_399)), Known::Other);
        assert_eq!(answers.find(keyed("a", "y"), at(86_400)), Known::New);
        for number in 0..1_000 {
            answers.remember(keyed(&number.to_string(), "x"), b"", at(1));
        }
        assert_eq!(answers.find(keyed("a", "x"), at(1)), Known::New);
        assert_eq!(answers.find(keyed("0", "x"), at(1)), Known::Answered(b""));
        answers.remember(keyed("large", "x"), &vec![7; 1 << 20], at(2));
        assert_eq!(answers.0.len(), 1);
        answers.remember(keyed("b", "x"), b"", at(86_402));
        assert_eq!(answers.0.len(), 1);
    }
}
