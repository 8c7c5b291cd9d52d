//! The client's side by itself: each row of what it does.

use crate::{
    session::{
        Down, Frame, Key, Life, Request, Welcome,
        client::{Action, ClientSettings, Message, NotSent, SessionClient, Status},
    },
    timestamp::Timestamp,
};
use std::time::Duration;

const LIFE: Life = Life { epoch: 3, incarnation: 1 };

fn ms(milliseconds: u64) -> Timestamp {
    Timestamp::from_origin(Duration::from_millis(milliseconds))
}

fn text(text: &str) -> Message {
    Message::Text(text.to_owned())
}

struct Driver {
    client: SessionClient,
    now: Timestamp,
    keys: u8,
}

impl Driver {
    fn new() -> Self {
        let client = SessionClient::new(ClientSettings::default(), ms(0));
        Driver { client, now: ms(0), keys: 0 }
    }

    fn live() -> Self {
        let mut driver = Driver::new();
        driver.dial();
        driver.welcome(LIFE, 0, 0);
        assert_eq!(driver.actions(), [Action::Opened]);
        driver
    }

    fn dial(&mut self) -> Request {
        self.now = self.client.deadline().map_or(self.now, |deadline| deadline.max(self.now));
        let keys = &mut self.keys;
        let key = || {
            *keys += 1;
            Key::new([*keys; 16])
        };
        self.client.dial(self.now, key).unwrap()
    }

    fn hear(&mut self, down: &Down<'_>) {
        let attempt = self.client.socket().unwrap();
        self.client.received(attempt, down.encode().frame(), 0, self.now);
    }

    fn welcome(&mut self, life: Life, heard: u64, from: u64) {
        let (ack_bytes, largest, grace_ms) = (100, 1_000, 30_000);
        self.hear(&Down::Welcome(Welcome { life, heard, from, ack_bytes, largest, grace_ms }));
    }

    fn say(&mut self, message: &str) {
        self.client.send(Frame::Text(message)).unwrap();
    }

    fn lose(&mut self, code: u16, reason: &str) {
        let attempt = self.client.socket().unwrap();
        self.client.lost(attempt, code, reason, u32::MAX, self.now);
    }

    fn actions(&mut self) -> Vec<Action> {
        std::iter::from_fn(|| self.client.next_action()).collect()
    }

    fn written(&mut self) -> Vec<Message> {
        let message = |action| match action {
            Action::Write { message, .. } => Some(message),
            _ => None,
        };
        self.actions().into_iter().filter_map(message).collect()
    }
}

#[test]
fn what_is_sent_before_the_welcome_is_written_after_it() {
    let mut driver = Driver::new();
    driver.say("one");
    assert_eq!(driver.dial().sent, 0);
    driver.say("two");
    assert!(driver.actions().is_empty());
    driver.welcome(LIFE, 0, 0);
    assert_eq!(driver.written(), [text("one"), text("two")]);
    assert_eq!(driver.client.status(), Status::Live);
}

#[test]
fn after_a_loss_what_was_not_heard_is_written_again_in_order() {
    let mut driver = Driver::live();
    for message in ["one", "two", "three"] {
        driver.say(message);
    }
    driver.hear(&Down::Data(Frame::Text("hi")));
    driver.hear(&Down::Ack { heard: 1 });
    driver.lose(1006, "");
    assert_eq!(driver.client.status(), Status::Away);
    driver.say("four");
    driver.actions();
    let request = driver.dial();
    let counts = (request.attempt, request.life, request.have, request.acked, request.sent);
    assert_eq!(counts, (2, LIFE, 1, 1, 3));
    driver.welcome(LIFE, 2, 1);
    let actions = driver.actions();
    let resumed = Action::Resumed { recovered: true, new_session: false };
    let expected = [Action::Settled { heard: 2 }, resumed];
    assert_eq!(actions[..2], expected);
    let message = |message| Action::Write { attempt: 2, message: text(message) };
    assert_eq!(actions[2..], [message("three"), message("four")]);
    assert_eq!(driver.client.unsettled_bytes(), 9);
}

#[test]
fn whoever_was_not_told_everything_learns_that() {
    // Whether another incarnation is of any matter, the server knows: it tells by `from`.
    for (life, from, recovered) in [
        (LIFE, 5, false),
        (Life { epoch: 4, ..LIFE }, 0, false),
        (Life { incarnation: 2, ..LIFE }, 0, true),
        (Life { incarnation: 2, ..LIFE }, 5, false),
    ] {
        let mut driver = Driver::live();
        driver.lose(1006, "");
        driver.dial();
        driver.welcome(life, 0, from);
        assert_eq!(driver.actions(), [Action::Resumed { recovered, new_session: false }]);
        driver.lose(1006, "");
        let request = driver.dial();
        assert_eq!((request.life, request.have), (life, from));
    }
    let mut driver = Driver::live();
    driver.hear(&Down::Anew { epoch: 4 });
    assert_eq!(driver.actions(), [Action::Resumed { recovered: false, new_session: false }]);
    assert_eq!(driver.client.received_count(), 1);
}

#[test]
fn what_a_room_has_not_heard_that_began_anew_is_handed_back_and_what_is_said_then_is_sent() {
    let mut driver = Driver::live();
    for message in ["one", "two"] {
        driver.say(message);
    }
    driver.lose(1006, "");
    driver.say("three");
    driver.actions();
    driver.dial();
    let given_up = driver.client.given_up();
    driver.welcome(Life { epoch: 4, ..LIFE }, 1, 5);
    let expected = [
        Action::Settled { heard: 1 },
        Action::Unsettled { messages: vec![text("two"), text("three")] },
        Action::Resumed { recovered: false, new_session: false },
    ];
    assert_eq!(driver.actions(), expected);
    assert_ne!(driver.client.given_up(), given_up, "whoever waits for them waits no more");
    assert_eq!(driver.client.unsettled_bytes(), 0);
    driver.say("four");
    assert_eq!(driver.written(), [text("four")]);
    driver.hear(&Down::Ack { heard: 2 });
    assert_eq!(driver.actions(), [Action::Settled { heard: 2 }]);
    driver.lose(1006, "");
    let request = driver.dial();
    assert_eq!((request.have, request.acked, request.sent), (5, 2, 2));
}

#[test]
fn a_message_is_as_large_as_it_is_on_the_socket() {
    let mut driver = Driver::live();
    driver.say(&"x".repeat(1_000));
    driver.say(&format!("\0{}", "x".repeat(998)));
    let doubled = format!("\0{}", "x".repeat(999));
    let refused = driver.client.send(Frame::Text(&doubled));
    assert_eq!(refused, Err(NotSent::TooLarge { length: 1_001, largest: 1_000 }));
}

#[test]
fn a_session_that_is_over_tells_what_nobody_knows_and_another_begins() {
    let mut driver = Driver::live();
    for message in ["one", "two"] {
        driver.say(message);
    }
    driver.actions();
    driver.lose(4200, "heard=1");
    let messages = vec![text("two")];
    let expected = [Action::Settled { heard: 1 }, Action::Unsettled { messages }];
    assert_eq!(driver.actions(), expected);
    driver.say("three");
    let request = driver.dial();
    assert!(request.is_first());
    assert_eq!((request.key, request.attempt), (Key::new([2; 16]), 2));
    driver.welcome(LIFE, 0, 0);
    let resumed = Action::Resumed { recovered: false, new_session: true };
    let write = Action::Write { attempt: 2, message: text("three") };
    assert_eq!(driver.actions(), [resumed, write]);
}

#[test]
fn a_first_session_that_is_over_costs_nothing() {
    let mut driver = Driver::new();
    driver.say("one");
    driver.dial();
    driver.lose(4200, "ended");
    assert!(driver.actions().is_empty());
    assert_eq!(driver.dial().key, Key::new([2; 16]));
    driver.welcome(LIFE, 0, 0);
    assert_eq!(driver.written(), [text("one")]);
}

#[test]
fn it_connects_again_at_once_and_then_later_and_later() {
    let mut driver = Driver::live();
    let mut waits = Vec::new();
    for _ in 0..8 {
        driver.lose(1006, "");
        let due = driver.client.deadline().unwrap();
        waits.push(due.since(driver.now).as_millis());
        driver.dial();
    }
    assert_eq!(waits, [0, 300, 600, 1_200, 2_400, 4_800, 9_600, 10_000]);
    driver.welcome(LIFE, 0, 0);
    driver.lose(4100, "later");
    let wait = |driver: &Driver| driver.client.deadline().unwrap().since(driver.now).as_millis();
    assert_eq!(wait(&driver), 600, "a room that ends at each message is not asked without end");
    driver.dial();
    driver.welcome(LIFE, 0, 0);
    driver.now = driver.now.after(Duration::from_secs(5));
    driver.lose(1006, "");
    assert_eq!(wait(&driver), 0, "that was a good connection");
    driver.dial();
    driver.lose(4100, "later");
    driver.client.wake(driver.now);
    assert_eq!(driver.client.deadline(), Some(driver.now), "the device is online again");
}

#[test]
fn a_probe_without_an_answer_ends_the_socket() {
    let mut driver = Driver::live();
    driver.client.wake(ms(0));
    assert_eq!(driver.written(), [text("\0probe")]);
    driver.hear(&Down::Ack { heard: 0 });
    assert_eq!(driver.client.deadline(), None);
    driver.client.wake(ms(0));
    driver.actions();
    driver.client.timer(0, ms(4_000));
    assert_eq!(driver.actions(), [Action::GiveUp { attempt: 1 }]);
    assert_eq!(driver.client.status(), Status::Away);
    driver.client.received(1, Frame::Text("late"), 0, ms(4_000));
    assert!(driver.actions().is_empty(), "it does not read what it has given up");
}

#[test]
fn a_socket_that_brings_no_welcome_is_given_up_when_it_is_looked_at() {
    let mut driver = Driver::new();
    driver.dial();
    driver.client.wake(ms(0));
    assert!(driver.actions().is_empty(), "before its welcome it may say nothing");
    driver.client.timer(0, ms(4_000));
    assert_eq!(driver.actions(), [Action::GiveUp { attempt: 1 }]);
    driver.dial();
    driver.client.wake(ms(5_000));
    driver.welcome(LIFE, 0, 0);
    assert_eq!(driver.actions(), [Action::Opened]);
    assert_eq!(driver.client.deadline(), None, "the welcome is the answer");
}

#[test]
fn it_tells_what_it_has_got_after_a_second_or_many_bytes() {
    let mut driver = Driver::live();
    driver.hear(&Down::Data(Frame::Text("hi")));
    driver.actions();
    assert_eq!(driver.client.deadline(), Some(ms(1_000)));
    driver.client.timer(0, ms(1_000));
    assert_eq!(driver.written(), [text("\0ack 1")]);
    driver.hear(&Down::Data(Frame::Binary(&[0; 100])));
    assert_eq!(driver.written(), [text("\0ack 2")]);
    driver.hear(&Down::Data(Frame::Text("hi")));
    driver.now = ms(9_000);
    driver.hear(&Down::Data(Frame::Text("in a hidden tab")));
    assert_eq!(driver.written(), [text("\0ack 4")]);
}

#[test]
fn what_may_not_come_ends_the_socket_and_not_the_session() {
    for down in [
        Down::Data(Frame::Text("before the welcome")),
        Down::Ack { heard: 0 },
        Down::Welcome(Welcome {
            life: LIFE,
            heard: 7,
            from: 0,
            ack_bytes: 1,
            largest: 1,
            grace_ms: 1,
        }),
    ] {
        let mut driver = Driver::new();
        driver.dial();
        driver.hear(&down);
        assert_eq!(driver.actions(), [Action::GiveUp { attempt: 1 }], "{down:?}");
        assert_eq!(driver.dial().attempt, 2);
    }
    let mut driver = Driver::live();
    driver.hear(&Down::Ack { heard: 1 });
    assert_eq!(driver.actions(), [Action::GiveUp { attempt: 1 }], "it has sent nothing");
    let mut driver = Driver::live();
    driver.welcome(LIFE, 0, 0);
    assert_eq!(driver.actions(), [Action::GiveUp { attempt: 1 }], "once is enough");
}

#[test]
fn what_it_cannot_keep_or_the_server_would_not_take_is_not_taken() {
    let mut driver = Driver::live();
    let large = "x".repeat(1_001);
    let too_large = NotSent::TooLarge { length: 1_001, largest: 1_000 };
    assert_eq!(driver.client.send(Frame::Text(&large)), Err(too_large));
    let full = "x".repeat(1_000);
    let mut taken = 0;
    let refused = loop {
        match driver.client.send(Frame::Text(&full)) {
            Ok(()) => taken += 1,
            Err(refused) => break refused,
        }
    };
    assert_eq!((refused, taken), (NotSent::Full { bytes: 1_048_000 }, 1_048));
    driver.hear(&Down::Ack { heard: 1 });
    assert_eq!(driver.client.send(Frame::Text(&full)), Ok(()));
}

#[test]
fn closing_waits_for_what_was_sent_but_not_for_long() {
    let mut driver = Driver::live();
    driver.client.close(ms(0));
    let closed = Action::Closed { code: 1000, reason: String::new() };
    assert_eq!(driver.actions(), [Action::Close { attempt: 1 }, closed.clone()]);

    let mut driver = Driver::live();
    driver.say("one");
    driver.client.close(ms(0));
    assert_eq!(driver.written(), [text("one"), text("\0flush")]);
    assert_eq!(driver.client.send(Frame::Text("two")), Err(NotSent::Closed));
    driver.hear(&Down::Ack { heard: 1 });
    let settled = Action::Settled { heard: 1 };
    assert_eq!(driver.actions(), [settled, Action::Close { attempt: 1 }, closed.clone()]);

    let mut driver = Driver::live();
    driver.say("one");
    driver.client.close(ms(0));
    driver.actions();
    driver.client.timer(0, ms(2_000));
    let unsettled = Action::Unsettled { messages: vec![text("one")] };
    assert_eq!(driver.actions(), [Action::Close { attempt: 1 }, unsettled, closed]);
}

#[test]
fn it_comes_back_with_another_token_and_not_at_all_where_that_is_final() {
    let mut driver = Driver::live();
    driver.lose(4201, "log in again");
    assert_eq!(driver.actions(), [Action::LogIn]);
    driver.dial();
    driver.lose(4300, "moved");
    let closed = Action::Closed { code: 4300, reason: "moved".to_owned() };
    assert_eq!(driver.actions(), [closed]);
    assert_eq!((driver.client.status(), driver.client.deadline()), (Status::Closed, None));
}
