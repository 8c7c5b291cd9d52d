//! HTTP requests to a room: what is answered waits for the disk, and is answered again to whoever asks again.

use stateroom::{
    Birth, ClientId, MemoryLimits, MessageRecipient, Request, Response, RestoreFailure, SavedState,
    ServiceFailure, StateroomContext as _, StateroomService, StateroomServiceFactory,
};
use stateroom_room::{
    Command, Consequence, Event, Keep, KeptRoom, Room, RoomContext, Timestamp,
    session::SessionSettings,
};
use std::{convert::Infallible, time::Duration};

/// Adds up what it is sent.
struct Sum(u64, RoomContext, Option<ServiceFailure>);

struct Sums;

impl StateroomService for Sum {
    fn message(&mut self, client: ClientId, _: &str) {
        self.1.close(client, 4301, "");
    }

    fn request(&mut self, request: &Request) -> Response {
        match (&*request.method, request.text().map(str::parse::<u64>)) {
            ("GET", _) => Response::text(&self.0.to_string()),
            (_, Some(Ok(number))) => {
                self.0 += number;
                self.1.send_message(MessageRecipient::Broadcast, &format!("sum {}", self.0));
                Response::text(&self.0.to_string()).with_status(201)
            }
            _ if request.body == b"fail" => {
                self.0 += 1_000;
                self.2 = Some(ServiceFailure { summary: "no", detail: "as asked".to_owned() });
                Response::new(200)
            }
            _ => Response::new(400),
        }
    }

    fn failure(&self) -> Option<&ServiceFailure> {
        self.2.as_ref()
    }

    fn save(&mut self) -> Option<SavedState> {
        let sum = self.0;
        Some(SavedState::new(move || Ok(sum.to_le_bytes().to_vec())))
    }
}

impl StateroomServiceFactory<RoomContext> for Sums {
    type Service = Sum;
    type Error = Infallible;

    fn build(&self, _: &str, context: RoomContext) -> Result<Sum, Infallible> {
        Ok(Sum(0, context, None))
    }

    fn restore(&self, _: &str, context: RoomContext, sum: &[u8]) -> Result<Sum, RestoreFailure> {
        Ok(Sum(u64::from_le_bytes(sum.try_into().unwrap()), context, None))
    }
}

const BIRTH: Birth =
    Birth { time: Duration::from_secs(1_000), seed: [7; 32], limits: MemoryLimits::NONE };

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_origin(BIRTH.time + Duration::from_secs(seconds))
}

/// A room, what is kept of it, and what it has answered.
struct Site {
    room: KeptRoom<Sum>,
    state: (u64, Vec<u8>),
    journal: Vec<(u64, Vec<u8>)>,
    aside: Vec<String>,
    seen: Vec<String>,
}

impl Site {
    fn found() -> Site {
        let room = KeptRoom::found(&Sums, "lobby", &BIRTH, true).unwrap();
        let (journal, aside, seen) = (Vec::new(), Vec::new(), Vec::new());
        Site { room, state: (0, Vec::new()), journal, aside, seen }
    }

    /// Tells whether the room heard it.
    fn asks(&mut self, number: u64, request: &Request, seconds: u64) -> bool {
        let request = request.encode();
        self.room.handle(Event::Request { number, request: &request }, at(seconds)).is_ok()
    }

    /// Has everything kept that is to be, and carries out what waited for that.
    fn keep(&mut self) {
        while let Some(keeps) = self.room.submit() {
            for keep in keeps {
                match keep {
                    Keep::State(state) => self.state = (state.at, state.encode().unwrap()),
                    Keep::Records(records) => self.journal.push((records.follows, records.bytes)),
                    Keep::SetAside(aside) => self.aside.push(aside.reason),
                    Keep::Forget => panic!("nobody has asked for that"),
                }
            }
            self.room.kept();
        }
    }

    fn save(&mut self) {
        let state = self.room.take_state().unwrap();
        self.room.state_kept(state.at);
        self.state = (state.at, state.encode().unwrap());
        self.journal.clear();
    }

    fn again(&self) -> Room<Sum> {
        let journal = self.journal.iter().map(|(follows, records)| (*follows, &records[..]));
        Room::bring_back(&Sums, "lobby", (self.state.0, &self.state.1), journal, || {}).unwrap()
    }

    /// Another process goes on with what is kept.
    fn restart(&mut self) {
        let room = self.again();
        let settings = SessionSettings::default();
        self.room = KeptRoom::open(room, (self.state.0, 0), true, settings, at(0), at(0));
    }

    /// What could be seen since the last call.
    fn seen(&mut self) -> Vec<String> {
        let seen = &mut self.seen;
        self.room.drain_commands(|command| match command {
            Command::Answer { number, response } => {
                let Response { status, body, .. } = Response::decode(response).unwrap();
                seen.push(format!("{number}: {status} {}", String::from_utf8(body).unwrap()));
            }
            Command::Send { bytes, .. } => seen.push(String::from_utf8(bytes.to_vec()).unwrap()),
            Command::Open { .. } | Command::Close { .. } => {}
        });
        std::mem::take(seen)
    }
}

fn adds(number: &str, key: &str) -> Request {
    Request::post("/", number).with_header("idempotency-key", key)
}

#[test]
fn an_answer_waits_until_what_it_follows_from_is_durable() {
    let mut site = Site::found();
    assert!(site.asks(1, &Request::post("/", "5"), 0));
    assert_eq!(site.seen(), [""; 0]);
    let keeps = site.room.submit().unwrap();
    assert_eq!(keeps.len(), 2, "how it began, and what it heard");
    assert!(site.asks(2, &Request::get("/"), 0));
    assert_eq!(site.seen(), [""; 0]);
    site.room.kept();
    assert_eq!(site.seen(), ["sum 5", "1: 201 5"]);
    site.keep();
    assert_eq!(site.seen(), ["2: 200 5"]);
}

#[test]
fn a_room_in_memory_alone_answers_at_once() {
    let mut room = Room::start(&Sums, "lobby", at(0)).unwrap();
    let request = Request::get("/").encode();
    room.handle(Event::Request { number: 7, request: &request }, at(0)).unwrap();
    let mut answers = Vec::new();
    room.drain_commands(|command| {
        if let Command::Answer { number, response } = command {
            answers.push((number, Response::decode(response).unwrap()));
        }
    });
    assert_eq!(answers, [(7, Response::text("0"))]);
}

#[test]
fn who_asks_again_with_the_same_key_gets_the_same_answer_and_is_not_heard() {
    let mut site = Site::found();
    assert!(site.asks(1, &adds("5", "a"), 0));
    // Before the first is answered.
    assert!(site.asks(2, &adds("5", "a"), 0));
    site.keep();
    assert_eq!(site.seen(), ["sum 5", "1: 201 5", "2: 201 5"]);

    // From the journal, and from the state.
    site.restart();
    assert!(site.asks(1, &adds("5", "a"), 1));
    site.keep();
    assert_eq!(site.seen(), ["1: 201 5"]);
    site.save();
    assert_eq!(site.state.1[0], 4);
    site.restart();
    assert!(site.asks(1, &adds("5", "a"), 2));
    assert!(site.asks(2, &adds("6", "a"), 2));
    assert!(site.asks(3, &adds("5", "a").with_user("ada"), 2));
    site.keep();
    assert_eq!(site.seen(), ["1: 201 5", "2: 422 ", "sum 10", "3: 201 10"]);

    // A day later it is heard anew.
    assert!(site.asks(4, &adds("5", "a"), 86_400));
    site.keep();
    assert_eq!(site.seen(), ["sum 15", "4: 201 15"]);
    site.restart();
    assert_eq!(site.room.room_mut().unwrap().service_mut().0, 15);
}

#[test]
fn a_request_that_fails_is_as_if_it_had_never_been_and_may_be_sent_again() {
    let mut site = Site::found();
    assert!(site.asks(1, &adds("5", "a"), 0));
    assert!(!site.asks(2, &adds("fail", "b"), 0));
    site.keep();
    assert_eq!(site.seen(), ["sum 5", "1: 201 5"]);
    let room = site.again();
    assert_eq!(site.room.back_again(room, at(1)), Consequence::Unanswered(2));
    site.keep();
    assert!(site.aside[0].contains("an HTTP request"), "{:?}", site.aside);
    assert!(site.asks(3, &adds("1", "b"), 1));
    site.keep();
    assert_eq!(site.seen(), ["sum 6", "3: 201 6"]);
}

#[test]
fn what_only_looks_or_is_refused_is_not_worth_keeping() {
    let is_worth_keeping = |request: &Request| {
        let mut site = Site::found();
        assert!(site.asks(1, request, 0));
        site.room.is_worth_keeping()
    };
    assert!(!is_worth_keeping(&Request::get("/")));
    assert!(!is_worth_keeping(&Request::post("/", "x")), "it is answered 400");
    assert!(is_worth_keeping(&Request::post("/", "1")));
    assert!(is_worth_keeping(&adds("x", "a")), "its answer is remembered");
}

#[test]
fn a_room_without_answers_to_remember_is_saved_as_it_always_was() {
    let mut site = Site::found();
    assert!(site.asks(1, &Request::post("/", "5"), 0));
    site.keep();
    site.save();
    assert_eq!(site.state.1[0], 2);
    let mut damaged = site.state.1.clone();
    damaged[0] = 4;
    assert!(Room::restore(&Sums, "lobby", 1, &damaged).is_err());
}
