//! The host's side by itself: what it refuses, what it bounds, and when it lets go.

use crate::{
    command::{MessageKind, Recipients},
    session::{
        Asked, Close, Down, Encoded, Frame, Happened, Key, Ledger, Left, Life, Listened, NoLedger,
        Output, Request, SessionHost, SessionSettings, SocketId, Up,
    },
    timestamp::Timestamp,
};
use stateroom::ClientId;
use std::time::Duration;

const ONE: ClientId = ClientId(1);
const LIFE: Life = Life { epoch: 1, incarnation: 1 };

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_origin(Duration::from_secs(seconds))
}

fn request(attempt: u64, life: Life, [have, acked, sent]: [u64; 3]) -> Request {
    Request { key: Key::new([9; 16]), attempt, life, have, acked, sent }
}

fn first(attempt: u64) -> Request {
    request(attempt, Life::default(), [0; 3])
}

/// A host whose events are durable at once.
struct Room {
    host: SessionHost,
    events: u64,
}

impl Room {
    fn new(settings: SessionSettings) -> Self {
        let host = SessionHost::open(Ledger::new(LIFE), settings, 0, at(0));
        Room { host, events: 0 }
    }

    fn with_one(settings: SessionSettings) -> Self {
        let mut room = Room::new(settings);
        assert_eq!(room.ask(1, &first(1)), ["1 welcome 0 0"]);
        room
    }

    fn ask(&mut self, socket: u64, request: &Request) -> Vec<String> {
        if let Asked::Connect(key) = self.host.ask(SocketId(socket), request) {
            self.note(Happened::Connect { client: ONE, key }, at(0));
        }
        self.outputs(at(0))
    }

    fn note(&mut self, happened: Happened<'_>, now: Timestamp) {
        self.events += 1;
        self.host.note(self.events, happened, now);
    }

    fn say(&mut self, to: Recipients, text: &str) {
        self.note(Happened::Sent { to, kind: MessageKind::Text, bytes: text.as_bytes() }, at(0));
    }

    fn hear(&mut self, socket: u64, up: &Up<'_>) {
        let encoded = up.encode();
        let listened = self.host.listen(SocketId(socket), encoded.frame(), at(0));
        if let Listened::Hear(client, _) = listened {
            self.note(Happened::Heard { client }, at(0));
        }
    }

    fn outputs(&mut self, now: Timestamp) -> Vec<String> {
        let mut outputs = Vec::new();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        self.host.drain(self.events, now, |output| {
            outputs.push(match output {
                Output::Welcome { socket, welcome, .. } => {
                    format!("{socket} welcome {} {}", welcome.heard, welcome.from)
                }
                Output::Write { socket, bytes, .. } => format!("{socket} write {}", text(bytes)),
                Output::Message { bytes, .. } => format!("all {}", text(bytes)),
                Output::Ack { socket, heard } => format!("{socket} ack {heard}"),
                Output::Close { socket, close: Close::Service(by) } => {
                    format!("{socket} close {} {}", by.code, by.reason)
                }
                Output::Close { socket, close } => format!("{socket} close {}", close.code()),
            });
        });
        outputs
    }
}

const DATA: Up<'_> = Up::Data(Frame::Text("x"));

#[test]
fn a_client_hears_what_is_durable_after_a_while_or_when_it_asks() {
    let mut room = Room::with_one(SessionSettings::default());
    room.hear(1, &DATA);
    room.hear(1, &DATA);
    assert!(room.outputs(at(0)).is_empty());
    let deadline = room.host.deadline().unwrap();
    assert_eq!(deadline, at(0).after(Duration::from_millis(200)));
    assert!(room.host.timer(deadline).is_empty());
    assert_eq!(room.outputs(deadline), ["1 ack 2"]);
    room.hear(1, &DATA);
    room.hear(1, &Up::Flush);
    room.hear(1, &Up::Flush);
    assert_eq!(room.outputs(at(0)), ["1 ack 3"], "once is enough");
    room.hear(1, &Up::Probe);
    assert_eq!(room.outputs(at(0)), ["1 ack 3"]);
}

#[test]
fn nothing_is_told_before_it_is_durable() {
    let mut room = Room::new(SessionSettings::default());
    let Asked::Connect(key) = room.host.ask(SocketId(1), &first(1)) else { panic!() };
    room.host.note(1, Happened::Connect { client: ONE, key }, at(0));
    room.events = 0;
    assert!(room.outputs(at(0)).is_empty());
    assert_eq!(room.host.waits_for(), Some(1));
    room.events = 1;
    assert_eq!(room.outputs(at(0)), ["1 welcome 0 0"]);
    room.hear(1, &DATA);
    room.hear(1, &Up::Flush);
    room.hear(1, &Up::Probe);
    room.events = 1;
    assert_eq!(room.outputs(at(0)), ["1 ack 0"], "a probe is answered with what is durable");
    room.events = 2;
    assert_eq!(room.outputs(at(0)), ["1 ack 1"]);
}

#[test]
fn who_says_what_cannot_be_is_closed_and_may_come_back() {
    for wrong in [Up::Ack { have: 1 }, Up::Data(Frame::Text(""))] {
        let mut room = Room::with_one(SessionSettings::default());
        if matches!(wrong, Up::Data(_)) {
            let listened = room.host.listen(SocketId(1), Frame::Text("\0hm"), at(0));
            assert_eq!(listened, Listened::Nothing);
        } else {
            room.hear(1, &wrong);
        }
        assert_eq!(room.outputs(at(0)), ["1 close 1002"]);
        room.hear(1, &DATA);
        assert_eq!(room.host.ledger().heard(ONE), Some(0), "it is not heard any more");
        assert_eq!(room.ask(2, &request(2, LIFE, [0; 3])), ["2 welcome 0 0"]);
    }
}

#[test]
fn counts_that_go_back_are_refused() {
    let mut room = Room::with_one(SessionSettings::default());
    room.say(Recipients::All, "a");
    room.outputs(at(0));
    room.hear(1, &Up::Ack { have: 1 });
    room.hear(1, &Up::Ack { have: 0 });
    assert_eq!(room.outputs(at(0)), ["1 close 1002"]);
}

#[test]
fn a_newer_attempt_takes_over_and_an_older_one_is_closed_as_moved() {
    let mut room = Room::with_one(SessionSettings::default());
    let resume = |attempt| request(attempt, LIFE, [0; 3]);
    assert_eq!(room.ask(3, &resume(3)), ["1 close 4300", "3 welcome 0 0"]);
    assert_eq!(room.ask(2, &resume(2)), ["2 close 4300"], "a stale handshake that was read late");
    assert_eq!(room.ask(4, &resume(3)), ["4 close 4000"], "a handshake that came twice");
    assert_eq!(room.host.ended(SocketId(1), false, at(0)), None);
    assert_eq!(room.host.deadline(), None, "the end of the old socket is not the session's");
    room.hear(1, &DATA);
    assert_eq!(room.host.ledger().heard(ONE), Some(0));
    room.hear(3, &DATA);
    assert_eq!(room.host.ledger().heard(ONE), Some(1));
}

#[test]
fn grace_begins_anew_after_a_time_in_which_nobody_could_be_heard() {
    let mut room = Room::with_one(SessionSettings::default());
    assert_eq!(room.host.ended(SocketId(1), false, at(5)), None);
    assert_eq!(room.host.deadline(), Some(at(35)));
    room.host.was_deaf(at(30));
    assert!(room.host.timer(at(59)).is_empty());
    assert_eq!(room.host.timer(at(60)), [ONE]);
    room.note(Happened::Disconnect { client: ONE, why: Left::Gone }, at(60));
    assert_eq!(room.host.deadline(), None);
    assert_eq!(room.ask(2, &first(2)), ["2 close 4200"], "its key is of a session that is over");
    assert_eq!(room.ask(3, &request(3, LIFE, [1, 0, 0])), ["3 close 4200"]);
}

#[test]
fn who_closes_for_good_is_gone_at_once_and_an_older_socket_cannot() {
    let mut room = Room::with_one(SessionSettings::default());
    room.ask(2, &request(2, LIFE, [0; 3]));
    assert_eq!(room.host.ended(SocketId(1), true, at(0)), None);
    assert_eq!(room.host.ended(SocketId(2), true, at(0)), Some(ONE));
}

#[test]
fn who_was_closed_by_the_service_gets_what_was_said_before_and_then_the_close() {
    let mut room = Room::with_one(SessionSettings::default());
    room.outputs(at(0));
    let _ = room.host.ended(SocketId(1), false, at(0));
    room.say(Recipients::One(ONE), "bye");
    let why = Left::Closed { code: 4301, reason: "go" };
    room.note(Happened::Disconnect { client: ONE, why }, at(0));
    room.say(Recipients::All, "to those who are there");
    room.outputs(at(0));
    let expected = ["2 welcome 0 0", "2 write bye", "2 close 4301 go"];
    assert_eq!(room.ask(2, &request(2, LIFE, [0; 3])), expected);
    room.hear(2, &DATA);
    assert_eq!(room.host.ledger().heard(ONE), Some(0));
    assert_eq!(room.host.ended(SocketId(2), false, at(0)), None);
    assert!(room.host.timer(at(30)).is_empty(), "the service knows that it is gone");
    assert_eq!(room.ask(3, &request(3, LIFE, [1, 0, 0])), ["3 close 4301 go"]);
}

#[test]
fn who_was_closed_while_it_was_away_is_told_how_from_a_snapshot_and_after_its_grace_too() {
    let mut room = Room::with_one(SessionSettings::default());
    let _ = room.host.ended(SocketId(1), false, at(0));
    let without = room.host.ledger().encode();
    let why = Left::Closed { code: 4301, reason: "kicked by Ada" };
    room.note(Happened::Disconnect { client: ONE, why }, at(0));
    room.outputs(at(0));
    let open = |room: &mut Room, kept: &[u8]| {
        let ledger = Ledger::decode(kept).unwrap();
        assert_eq!(ledger.encode(), kept);
        room.host = SessionHost::open(ledger, SessionSettings::default(), room.events, at(0));
    };
    let within_grace = room.host.ledger().encode();
    open(&mut room, &within_grace);
    let told = room.ask(2, &request(2, LIFE, [0; 3]));
    assert_eq!(told, ["2 welcome 0 0", "2 close 4301 kicked by Ada"]);
    let _ = room.host.ended(SocketId(2), false, at(0));
    assert!(room.host.timer(at(30)).is_empty());
    let after_it = room.host.ledger().encode();
    open(&mut room, &after_it);
    assert_eq!(room.ask(3, &request(3, LIFE, [0; 3])), ["3 close 4301 kicked by Ada"]);
    assert_eq!([without[0], within_grace[0], after_it[0]], [1, 2, 2], "an older program reads 1");
    for kept in [&within_grace, &after_it] {
        for length in 0..kept.len() {
            assert!(Ledger::decode(&kept[..length]).is_err(), "{length}");
        }
    }
}

#[test]
fn who_was_closed_by_the_service_may_come_with_another_session_and_the_same_id() {
    let mut room = Room::with_one(SessionSettings::default());
    room.hear(1, &DATA);
    let why = Left::Closed { code: 4301, reason: "go" };
    room.note(Happened::Disconnect { client: ONE, why }, at(0));
    let kept = room.host.ledger().encode();
    let other = Request { key: Key::new([8; 16]), ..first(1) };
    assert_eq!(room.ask(2, &other), ["1 close 4301 go", "2 welcome 0 0"]);
    assert_eq!(room.host.ended(SocketId(1), false, at(0)), None);
    assert_eq!(room.host.deadline(), None, "it is not away, and was told all that is durable");
    room.hear(2, &DATA);
    room.hear(2, &Up::Flush);
    assert_eq!(room.outputs(at(0)), ["2 ack 1"]);
    assert_eq!(room.ask(3, &request(2, LIFE, [0, 1, 1])), ["3 close 4301 go"]);
    // The same where its grace has begun.
    let ledger = Ledger::decode(&kept).unwrap();
    room.host = SessionHost::open(ledger, SessionSettings::default(), room.events, at(0));
    assert_eq!(room.ask(4, &other), ["4 welcome 0 0"]);
    assert_eq!(room.host.deadline(), None);
    assert!(Ledger::decode(&room.host.ledger().encode()).is_ok());
}

#[test]
fn who_was_closed_gets_what_was_said_before_though_its_id_is_taken_at_once() {
    let mut room = Room::with_one(SessionSettings::default());
    room.say(Recipients::One(ONE), "bye");
    for why in [Left::Closed { code: 4301, reason: "go" }, Left::Replaced] {
        room.note(Happened::Disconnect { client: ONE, why }, at(0));
    }
    assert_eq!(room.outputs(at(0)), ["all bye", "1 close 4301 go", "1 close 4300"]);
    assert_eq!(room.host.ledger().retained_bytes(), 0, "nobody can come back");
}

#[test]
fn what_is_kept_is_bounded_and_live_sockets_do_not_notice() {
    let settings = SessionSettings { retained_bytes: 1_000, ..SessionSettings::default() };
    let mut room = Room::with_one(settings);
    for _ in 0..100 {
        room.say(Recipients::All, &"x".repeat(50));
        assert_eq!(room.outputs(at(0)).len(), 1);
        assert!(room.host.ledger().retained_bytes() <= 1_000);
    }
    let from =
        |room: &mut Room, attempt, have| room.ask(attempt, &request(attempt, LIFE, [have, 0, 0]));
    let close = |before| format!("{before} close 4300");
    let near = from(&mut room, 2, 98);
    assert_eq!(near[..2], [close(1), "2 welcome 0 98".to_owned()]);
    assert_eq!(near.len(), 4);
    assert_eq!(from(&mut room, 3, 2), [close(2), "3 welcome 0 100".to_owned()]);
    room.hear(3, &Up::Ack { have: 100 });
    assert_eq!(room.host.ledger().retained_bytes(), 0, "everybody has got everything");
}

#[test]
fn what_was_dropped_while_a_welcome_waited_is_told_as_missed() {
    let settings = SessionSettings { retained_bytes: 200, ..SessionSettings::default() };
    let mut room = Room::with_one(settings);
    room.say(Recipients::All, "a");
    room.outputs(at(0));
    room.note(Happened::Heard { client: ONE }, at(0));
    let asked = room.host.ask(SocketId(2), &request(2, LIFE, [0, 0, 1]));
    assert_eq!(asked, Asked::Answered);
    room.host.trim(0);
    let outputs = room.outputs(at(0));
    assert_eq!(outputs, ["1 close 4300", "2 welcome 1 1"], "and `a` is not there any more");
}

#[test]
fn what_waits_to_be_durable_is_kept_whatever_the_bound() {
    let settings = SessionSettings { retained_bytes: 100, ..SessionSettings::default() };
    let mut room = Room::with_one(settings);
    for _ in 0..10 {
        room.say(Recipients::All, &"x".repeat(50));
    }
    assert!(room.host.ledger().retained_bytes() > 500);
    assert_eq!(room.outputs(at(0)).len(), 10);
    assert!(room.host.ledger().retained_bytes() <= 100);
}

#[test]
fn who_was_closed_and_forgotten_stays_forgotten_after_an_event_that_failed() {
    let mut room = Room::with_one(SessionSettings::default());
    let why = Left::Closed { code: 4301, reason: "go" };
    room.note(Happened::Disconnect { client: ONE, why }, at(0));
    let kept = room.host.ledger().encode();
    assert_eq!(room.outputs(at(0)), ["1 close 4301 go"]);
    assert_eq!(room.host.ended(SocketId(1), false, at(0)), None);
    assert!(room.host.timer(at(30)).is_empty());
    assert_eq!(room.host.ledger().heard(ONE), None);
    room.host.back_again(Ledger::decode(&kept).unwrap());
    assert_eq!(room.host.ledger().heard(ONE), None);
    assert_eq!(room.ask(2, &request(2, LIFE, [0; 3])), ["2 close 4301 go"]);
}

#[test]
fn a_server_that_keeps_too_much_can_take_it_back() {
    let mut room = Room::with_one(SessionSettings::default());
    for _ in 0..10 {
        room.say(Recipients::All, "much");
    }
    room.host.trim(0);
    assert!(room.host.ledger().retained_bytes() > 0, "what was not let out stays");
    assert_eq!(room.outputs(at(0)).len(), 10);
    room.host.trim(0);
    assert_eq!(room.host.ledger().retained_bytes(), 0);
    assert_eq!(room.ask(2, &request(2, LIFE, [9, 0, 0]))[1..], ["2 welcome 0 10"]);
    assert_eq!(room.ask(3, &request(3, LIFE, [10, 0, 0]))[1..], ["3 welcome 0 10"]);
}

#[test]
fn who_has_got_what_is_not_so_is_told_and_who_has_not_goes_on() {
    let mut room = Room::with_one(SessionSettings::default());
    for text in ["a", "b"] {
        room.say(Recipients::All, text);
    }
    room.outputs(at(0));
    // It is brought back as it was then, and says more.
    let ledger = Ledger::decode(&room.host.ledger().encode()).unwrap();
    room.host = SessionHost::open(ledger, SessionSettings::default(), room.events, at(0));
    room.note(Happened::Incarnated { number: 7 }, at(0));
    for (to, text) in [(Recipients::AllExcept(ONE), "to nobody"), (Recipients::All, "c")] {
        room.say(to, text);
    }
    let now = Life { incarnation: 7, ..LIFE };
    let unknown = Life { incarnation: 9, ..LIFE };
    for (socket, life, have, wanted) in [
        (2, LIFE, 1, "2 welcome 0 1"),
        (3, LIFE, 2, "3 welcome 0 2"),
        // It has got a third message, and not the one that there is now.
        (4, LIFE, 3, "4 close 4200"),
        (5, LIFE, 4, "5 welcome 0 3"),
        (6, now, 3, "6 welcome 0 3"),
        (7, now, 0, "7 welcome 0 0"),
        (8, unknown, 0, "8 welcome 0 3"),
        (9, unknown, 3, "9 close 4200"),
    ] {
        let told = room.ask(socket, &request(socket, life, [have, 0, 0]));
        assert!(told.iter().any(|told| told == wanted), "{wanted}: {told:?}");
    }
    // What it has missed comes again, if it is as it was.
    let told = room.ask(10, &request(10, LIFE, [2, 0, 0]));
    assert_eq!(told.last().unwrap(), "10 write c");
    assert_eq!(
        room.ask(11, &request(11, LIFE, [0, 1, 1])).last().unwrap(),
        "11 close 4200",
        "it knows of more"
    );
    for number in 100..200 {
        room.note(Happened::Incarnated { number }, at(0));
    }
    let told = room.ask(12, &request(12, now, [2, 0, 0]));
    assert_eq!(told.last().unwrap(), "12 welcome 0 3", "that is too long ago");
}

#[test]
fn who_has_said_what_it_has_got_goes_on_though_nothing_of_that_is_kept() {
    let mut room = Room::with_one(SessionSettings::default());
    room.say(Recipients::All, "a");
    room.outputs(at(0));
    room.hear(1, &Up::Ack { have: 1 });
    let ledger = Ledger::decode(&room.host.ledger().encode()).unwrap();
    room.host = SessionHost::open(ledger, SessionSettings::default(), room.events, at(0));
    room.note(Happened::Incarnated { number: 7 }, at(0));
    room.say(Recipients::AllExcept(ONE), "to nobody");
    room.outputs(at(0));
    room.host.trim(0);
    assert_eq!(room.ask(2, &request(2, LIFE, [1, 0, 0])), ["2 welcome 0 1"]);
}

#[test]
fn no_socket_stays_open_without_a_session() {
    let mut room = Room::with_one(SessionSettings::default());
    room.hear(1, &DATA);
    room.note(Happened::Disconnect { client: ONE, why: Left::Gone }, at(0));
    assert_eq!(room.outputs(at(0)), ["1 close 4200"]);
    let mut room = Room::new(SessionSettings::default());
    for (socket, attempt) in [(1, 1), (2, 2)] {
        assert!(matches!(room.host.ask(SocketId(socket), &first(attempt)), Asked::Connect(_)));
    }
    let key = first(1).key.hash();
    room.note(Happened::Connect { client: ONE, key }, at(0));
    assert_eq!(room.outputs(at(0)), ["1 close 4000", "2 welcome 0 0"]);
}

#[test]
fn a_room_without_sessions_keeps_nothing() {
    let mut room = Room::with_one(SessionSettings::default());
    assert_eq!(room.host.ended(SocketId(1), true, at(0)), Some(ONE));
    room.say(Recipients::All, "while it is there");
    room.note(Happened::Disconnect { client: ONE, why: Left::Gone }, at(0));
    room.say(Recipients::All, "when it is gone");
    room.note(Happened::Anew { epoch: 2 }, at(0));
    room.note(Happened::Skipped { client: ONE, reason: "no" }, at(0));
    assert_eq!(room.outputs(at(0)), ["all while it is there"]);
    assert_eq!(room.host.ledger().retained_bytes(), 0);
    assert_eq!((room.host.waits_for(), room.host.deadline()), (None, None));
}

#[test]
fn a_refusal_waits_its_turn() {
    let mut room = Room::with_one(SessionSettings::default());
    room.host.refuse(SocketId(7), Close::Later);
    assert_eq!(room.outputs(at(0)), ["7 close 4100"]);
}

#[test]
fn text_that_begins_as_the_protocol_does_is_doubled_once() {
    let mut room = Room::with_one(SessionSettings::default());
    room.say(Recipients::All, "\0ack 7");
    let outputs = room.outputs(at(0));
    assert_eq!(outputs, ["all \0\0ack 7"]);
    let written = outputs[0].strip_prefix("all ").unwrap();
    assert_eq!(Down::decode(Frame::Text(written)), Ok(Down::Data(Frame::Text("\0ack 7"))));
    assert!(matches!(Down::Data(Frame::Text("a")).encode(), Encoded::Text(_)));
}

/// The bytes are a format on people's disks: they must not change unnoticed.
#[test]
fn sessions_of_another_version_are_refused() {
    let mut bytes = Ledger::new(LIFE).encode();
    assert_eq!(bytes, [1, 1, 1, 0, 0, 0, 0, 0, 0]);
    bytes[0] = 3;
    assert_eq!(Ledger::decode(&bytes).unwrap_err(), NoLedger::OtherVersion { found: 3 });
    assert_eq!(Ledger::decode(&[]).unwrap_err(), NoLedger::Damaged);
    assert_eq!(Ledger::decode(&[1, 9]).unwrap_err(), NoLedger::Damaged);
}
