//! Rooms that are kept, driven by hand: what waits for what, and what follows when something fails.

use stateroom::{
    Birth, ClientId, MemoryLimits, MessageRecipient, RestoreFailure, SavedState, ServiceFailure,
    StateroomContext as _, StateroomService, StateroomServiceFactory,
};
use stateroom_room::{
    Command, Consequence, Event, Keep, KeptRoom, MAX_UNKEPT_BYTES, Records, Room, RoomContext,
    Timestamp,
    session::{Asked, Frame, Key, Life, Listened, Output, Request, SessionSettings, SocketId},
};
use std::{convert::Infallible, time::Duration};

/// Counts what it hears, and fails when it is told to.
struct Count {
    heard: u64,
    context: RoomContext,
    failure: Option<ServiceFailure>,
}

struct Counts {
    limits: MemoryLimits,
}

/// Newer code, which says so to everybody when it takes over.
struct Newer;

impl Count {
    fn fail(&mut self) {
        self.failure = Some(ServiceFailure { summary: "no", detail: "as told".to_owned() });
    }
}

impl StateroomService for Count {
    fn message(&mut self, client: ClientId, message: &str) {
        self.heard += 1;
        match message.strip_prefix("timer ") {
            Some(delay) => self.context.set_timer(delay.parse().unwrap()),
            None if message == "fail" => self.fail(),
            None if message == "close" => self.context.close(client, 4301, "go"),
            None => {
                self.context.send_message(MessageRecipient::Broadcast, &self.heard.to_string());
            }
        }
    }

    fn disconnect(&mut self, client: ClientId) {
        if client == ClientId(2) {
            self.fail();
        }
    }

    fn timer(&mut self) {
        match self.heard > 1 {
            true => self.context.send_message(MessageRecipient::Broadcast, "timer"),
            false => self.fail(),
        }
    }

    fn failure(&self) -> Option<&ServiceFailure> {
        self.failure.as_ref()
    }

    fn save(&mut self) -> Option<SavedState> {
        let heard = self.heard;
        Some(SavedState::new(move || Ok(heard.to_le_bytes().to_vec())))
    }

    fn hand_over(&mut self) -> Option<Result<Vec<u8>, ServiceFailure>> {
        Some(Ok(self.heard.to_le_bytes().to_vec()))
    }
}

impl StateroomServiceFactory<RoomContext> for Counts {
    type Service = Count;
    type Error = Infallible;

    fn build(&self, _: &str, context: RoomContext) -> Result<Count, Infallible> {
        Ok(Count { heard: 0, context, failure: None })
    }

    fn restore(
        &self,
        _: &str,
        context: RoomContext,
        heard: &[u8],
    ) -> Result<Count, RestoreFailure> {
        let heard = u64::from_le_bytes(heard.try_into().unwrap());
        Ok(Count { heard, context, failure: None })
    }

    fn limits(&self) -> MemoryLimits {
        self.limits
    }
}

impl StateroomServiceFactory<RoomContext> for Newer {
    type Service = Count;
    type Error = Infallible;

    fn build(&self, id: &str, context: RoomContext) -> Result<Count, Infallible> {
        COUNTS.build(id, context)
    }

    fn takes_over(&self) -> bool {
        true
    }

    fn take_over(
        &self,
        id: &str,
        context: RoomContext,
        _: &Birth,
        state: &[u8],
    ) -> Result<Count, RestoreFailure> {
        context.send_message(MessageRecipient::Broadcast, "new code");
        COUNTS.restore(id, context, state)
    }
}

const KEY: Key = Key::new([7; 16]);
const FIRST: Life = Life { epoch: 1, incarnation: 1 };

/// What a client asks for that has got `have` messages, and written `sent` of which it knows `acked` to be durable.
fn asks(attempt: u64, life: Life, [have, acked, sent]: [u64; 3]) -> Request {
    Request { key: KEY, attempt, life, have, acked, sent }
}

/// A room, and what is kept of it.
struct Site {
    room: KeptRoom<Count>,
    state: Option<(u64, Vec<u8>)>,
    journal: Vec<Records>,
    aside: Vec<String>,
    seen: Vec<String>,
    incarnation: u64,
}

const START: Duration = Duration::from_secs(1_000);
const LIMITS: MemoryLimits = MemoryLimits { memory_bytes: 1 << 20, table_elements: 10 };
const COUNTS: Counts = Counts { limits: LIMITS };

fn at(milliseconds: u64) -> Timestamp {
    Timestamp::from_origin(START + Duration::from_millis(milliseconds))
}

impl Site {
    fn found() -> Site {
        let birth = Birth { time: START, seed: [0; 32], limits: LIMITS };
        let room = KeptRoom::found(&COUNTS, "lobby", &birth, true).unwrap();
        let (journal, aside, seen) = (Vec::new(), Vec::new(), Vec::new());
        Site { room, state: None, journal, aside, seen, incarnation: 1 }
    }

    fn joins(&mut self, token: Option<&str>) {
        self.room.handle(Event::Connect { token }, at(0)).unwrap();
    }

    fn says(&mut self, client: u32, text: &str, now: u64) -> bool {
        self.room.handle(Event::Text { client: ClientId(client), text }, at(now)).is_ok()
    }

    /// Keeps all that there is to keep, at once.
    fn keep(&mut self) {
        while let Some(keeps) = self.room.submit() {
            for keep in keeps {
                match keep {
                    Keep::State(state) => self.state = Some((state.at, state.encode().unwrap())),
                    Keep::Records(records) => self.journal.push(records),
                    Keep::SetAside(aside) => self.aside.push(aside.reason),
                    Keep::Forget => {
                        self.state = None;
                        self.journal.clear();
                    }
                }
            }
            self.room.kept();
            self.see();
        }
    }

    fn see(&mut self) {
        let seen = &mut self.seen;
        self.room.drain_commands(|command| {
            if let Command::Send { bytes, .. } = command {
                seen.push(String::from_utf8(bytes.to_vec()).unwrap());
            }
        });
    }

    /// A client asks for a session on a socket, and is let in if the room does not know it.
    fn asks(&mut self, socket: u64, request: &Request, token: Option<&str>) {
        let settings = (SessionSettings::default(), FIRST.incarnation);
        let asked = self.room.ask(SocketId(socket), request, token, settings, at(0)).unwrap();
        if let Asked::Connect(key) = asked {
            self.room.handle(Event::Join { token, key }, at(0)).unwrap();
        }
    }

    /// A client says something in its session. `false` if the room has failed at it.
    fn says_in_session(&mut self, socket: u64, text: &str) -> bool {
        let (host, now) = self.room.sessions(at(0)).unwrap();
        match host.listen(SocketId(socket), Frame::Text(text), now) {
            Listened::Hear(client, Frame::Text(text)) => self.says(client.0, text, 0),
            _ => panic!("it is heard"),
        }
    }

    /// What is said in sessions, to whomever.
    fn hears_in_sessions(&mut self, now: u64) -> Vec<String> {
        let mut heard = Vec::new();
        self.room.drain_sessions(at(now), |output| {
            heard.push(match output {
                Output::Welcome { socket, client, welcome } => {
                    format!(
                        "{socket}: welcome {client}, {} heard, from {}",
                        welcome.heard, welcome.from
                    )
                }
                Output::Write { socket, bytes, .. } => {
                    format!("{socket}: {}", String::from_utf8_lossy(bytes))
                }
                Output::Message { bytes, .. } => String::from_utf8_lossy(bytes).replace('\0', "@"),
                Output::Ack { socket, heard } => format!("{socket}: ack {heard}"),
                Output::Close { socket, close } => {
                    format!("{socket}: close {} {close}", close.code())
                }
            });
        });
        heard
    }

    /// The room, made again of what is kept.
    fn again(&self) -> Room<Count> {
        let (at, state) = self.state.as_ref().unwrap();
        let journal = self.journal.iter().map(|part| (part.follows, &part.bytes[..]));
        Room::bring_back(&COUNTS, "lobby", (*at, state), journal, || {}).unwrap()
    }

    /// The process ends, and another one begins at the time `now`.
    fn restart(&mut self, limits: MemoryLimits, now: u64) {
        let saved = self.state.as_ref().unwrap().0;
        self.room = KeptRoom::open(
            self.again(),
            (saved, 0),
            true,
            SessionSettings::default(),
            at(now),
            at(now + 10_000),
        );
        self.room.set_limits(limits, at(now));
        self.incarnation += 1;
        self.room.set_incarnation(self.incarnation, at(now));
        self.keep();
    }
}

#[test]
fn nothing_is_seen_before_it_is_kept() {
    let mut site = Site::found();
    site.joins(None);
    assert!(site.says(1, "a", 1));
    site.see();
    assert!(site.seen.is_empty());
    let keeps = site.room.submit().unwrap();
    assert!(matches!(keeps[..], [Keep::State(_), Keep::Records(Records { events: 2, .. })]));
    assert!(site.says(1, "b", 2));
    assert!(site.room.submit().is_none(), "one after the other");
    site.see();
    assert!(site.seen.is_empty());
    assert_eq!((site.room.events(), site.room.durable_events()), (3, 0));
    site.room.kept();
    site.see();
    assert_eq!(site.seen, ["1"]);
    assert_eq!(site.room.durable_events(), 2);
    site.keep();
    assert_eq!(site.seen, ["1", "2"]);
}

#[test]
fn a_room_with_much_on_its_way_hears_no_more_until_it_is_kept() {
    let mut site = Site::found();
    site.joins(None);
    site.room.submit().unwrap();
    let text = "x".repeat(MAX_UNKEPT_BYTES / 4);
    for now in 0..3 {
        assert!(site.says(1, &text, now));
        assert!(!site.room.is_blocked());
    }
    assert!(site.says(1, &text, 4));
    assert!(site.room.is_blocked());
    site.room.kept();
    assert!(!site.room.is_blocked());
}

#[test]
fn an_event_that_fails_is_as_if_it_had_never_been_and_is_noted() {
    let mut site = Site::found();
    site.joins(None);
    assert!(site.says(1, "a", 1));
    assert!(!site.says(1, "fail", 2));
    assert!(site.room.is_blocked() && site.room.has_failed());
    assert!(!site.room.is_to_be_brought_back(), "what came before is not durable yet");
    site.keep();
    assert!(site.room.is_to_be_brought_back());
    let consequence = site.room.back_again(site.again(), at(3));
    assert_eq!(consequence, Consequence::Close(ClientId(1), "no"));
    assert!(!site.room.is_blocked());
    assert!(site.says(1, "b", 4));
    site.keep();
    assert_eq!(site.seen, ["1", "2"]);
    assert_eq!(site.aside.len(), 1);
    assert!(site.aside[0].contains("from client 1 failed"), "{:?}", site.aside);
}

#[test]
fn who_cannot_be_let_go_is_forgotten() {
    let mut site = Site::found();
    site.joins(None);
    site.joins(None);
    site.room.handle(Event::Disconnect { client: ClientId(2) }, at(1)).unwrap_err();
    site.keep();
    assert_eq!(site.room.back_again(site.again(), at(2)), Consequence::None);
    assert_eq!(site.room.room().unwrap().members().collect::<Vec<_>>(), [ClientId(1)]);
    site.keep();
    assert_eq!(site.again().members().collect::<Vec<_>>(), [ClientId(1)]);
}

#[test]
fn a_timer_that_fails_is_tried_again_later_and_later_until_it_works() {
    let mut site = Site::found();
    site.joins(None);
    assert!(site.says(1, "timer 50", 0));
    let mut now = 50;
    for wait in [1_000, 2_000, 4_000] {
        assert_eq!(site.room.deadline(), Some(at(now)));
        site.room.handle(Event::Timer, at(now)).unwrap_err();
        site.keep();
        site.room.back_again(site.again(), at(now));
        site.room.handle(Event::Timer, at(now + wait - 1)).unwrap();
        site.keep();
        now += wait;
    }
    assert!(site.says(1, "a", now - 1));
    site.room.handle(Event::Timer, at(now)).unwrap();
    assert_eq!(site.room.deadline(), None);
    site.keep();
    assert_eq!(site.seen, ["2", "timer"]);
    assert_eq!(site.aside.len(), 3);
}

#[test]
fn a_timer_that_fails_is_tried_later_and_later_though_the_room_has_left_memory() {
    let mut site = Site::found();
    site.joins(None);
    assert!(site.says(1, "timer 50", 0));
    let mut now = 50;
    for wait in [1_000, 2_000, 4_000, 8_000] {
        assert_eq!(site.room.deadline(), Some(at(50)), "nobody has counted");
        site.room.handle(Event::Timer, at(now)).unwrap_err();
        site.keep();
        site.room.back_again(site.again(), at(now));
        now += wait;
        assert_eq!(site.room.deadline(), Some(at(now)));
        site.restart(LIMITS, now);
    }
}

#[test]
fn a_clock_that_was_ahead_keeps_no_timer_waiting() {
    const HOUR: u64 = 60 * 60 * 1000;
    let mut site = Site::found();
    site.joins(None);
    assert!(site.says(1, "a", HOUR));
    assert!(site.says(1, "timer 500", HOUR));
    site.keep();
    site.restart(LIMITS, 10);
    assert_eq!(site.room.deadline(), Some(at(510)));
    assert!(site.says(1, "timer 300", 110));
    assert_eq!(site.room.deadline(), Some(at(410)));
    site.room.handle(Event::Timer, at(410)).unwrap();
    assert_eq!(site.room.deadline(), None);
    site.keep();
    // Time goes on from where it was, and the journal can be lived again.
    site.restart(LIMITS, 420);
    assert_eq!(site.room.events(), 5);
}

#[test]
fn a_changed_limit_reaches_a_room_as_an_event() {
    let mut site = Site::found();
    site.joins(None);
    site.keep();
    let other = MemoryLimits { memory_bytes: 2 << 20, ..LIMITS };
    site.restart(other, 10);
    assert_eq!((site.room.events(), site.room.room().unwrap().limits()), (2, other));
    site.keep();
    site.restart(other, 20);
    assert_eq!(site.room.events(), 2, "it knows");
}

#[test]
fn a_state_is_due_by_what_the_room_has_computed_and_never_ahead_of_its_records() {
    let mut site = Site::found();
    site.joins(None);
    assert!(site.says(1, "a", 1));
    site.room.computed(Duration::from_millis(100));
    assert!(!site.room.state_is_due(), "its records are not on their way");
    assert!(site.room.take_state().is_none());
    site.keep();
    assert!(site.room.state_is_due());
    let state = site.room.take_state().unwrap();
    assert!(!site.room.state_is_due() && !site.room.is_saved());
    site.room.state_kept(state.at);
    assert!(site.room.is_saved());
    site.room.leave_memory();
    assert!(!site.room.is_in_memory());
    assert_eq!(site.room.events(), 2);
}

#[test]
fn a_room_in_which_nothing_was_said_is_not_worth_keeping_and_is_forgotten() {
    let mut site = Site::found();
    site.joins(Some("ada"));
    site.keep();
    assert!(site.room.is_worth_keeping(), "somebody is there");
    site.room.handle(Event::Disconnect { client: ClientId(1) }, at(1)).unwrap();
    site.keep();
    assert!(!site.room.is_worth_keeping());
    site.room.forget();
    assert!(site.room.is_blocked());
    site.keep();
    assert!(site.room.is_forgotten() && site.state.is_none());

    let mut site = Site::found();
    site.joins(None);
    assert!(site.says(1, "a", 1));
    site.room.handle(Event::Disconnect { client: ClientId(1) }, at(1)).unwrap();
    assert!(site.room.is_worth_keeping());
}

#[test]
fn a_room_that_goes_on_with_other_code_is_forgotten_as_any_other() {
    let mut site = Site::found();
    site.joins(None);
    site.room.handle(Event::Disconnect { client: ClientId(1) }, at(1)).unwrap();
    site.keep();
    site.restart(LIMITS, 1);
    let birth = Birth { time: START, seed: [0; 32], limits: LIMITS };
    site.room.start_anew(&COUNTS, "lobby", &birth).unwrap();
    site.room.forget();
    site.keep();
    assert!(site.room.is_forgotten() && site.state.is_none());
}

#[test]
fn those_without_a_token_are_told_as_gone_at_once_and_the_others_when_their_time_is_up() {
    let mut site = Site::found();
    site.joins(None);
    site.joins(Some("bob"));
    site.joins(Some("eve"));
    site.keep();
    site.restart(LIMITS, 0);
    let is_here = |client| client == ClientId(3);
    assert_eq!(site.room.next_absent(at(1), is_here), Some(ClientId(1)));
    assert_eq!(site.room.next_absent(at(1), is_here), None);
    assert_eq!(site.room.absent_until(), Some(at(10_000)));
    assert_eq!(site.room.next_absent(at(10_000), is_here), Some(ClientId(2)));
    assert_eq!(site.room.absent_until(), None);
}

#[test]
fn what_is_said_in_a_session_waits_until_it_is_kept_and_is_there_after_a_restart() {
    let mut site = Site::found();
    site.asks(1, &asks(1, Life::default(), [0, 0, 0]), None);
    assert!(site.hears_in_sessions(0).is_empty());
    site.keep();
    assert_eq!(site.hears_in_sessions(0), ["1: welcome 1, 0 heard, from 0"]);
    assert!(site.says_in_session(1, "a"));
    assert!(site.hears_in_sessions(0).is_empty());
    site.keep();
    assert_eq!(site.hears_in_sessions(0), ["1"]);

    // From its journal, and then from its state.
    for (socket, saves) in [(2, false), (3, true)] {
        if saves {
            let state = site.room.take_state().unwrap();
            site.room.state_kept(state.at);
            site.state = Some((state.at, state.encode().unwrap()));
            site.journal.clear();
        }
        site.restart(LIMITS, 0);
        assert_eq!(site.room.absent_until(), None, "who has a session has its grace");
        site.asks(socket, &asks(socket, FIRST, [0, 0, 1]), None);
        let heard = [format!("{socket}: welcome 1, 1 heard, from 0"), format!("{socket}: 1")];
        assert_eq!(site.hears_in_sessions(0), heard);
    }

    // Somebody else who has the key.
    site.asks(4, &asks(4, FIRST, [1, 1, 1]), Some("somebody else"));
    assert_eq!(site.hears_in_sessions(0), ["4: close 4200 ended"]);
}

#[test]
fn what_new_code_says_in_a_session_waits_for_its_state_and_is_there_after_a_restart() {
    let mut site = Site::found();
    site.joins(None);
    site.asks(1, &asks(1, Life::default(), [0, 0, 0]), None);
    site.keep();
    site.hears_in_sessions(0);
    let birth = Birth { time: START, seed: [0; 32], limits: LIMITS };
    site.room.take_over(&Newer, "lobby", &birth).unwrap();
    site.see();
    assert_eq!((site.hears_in_sessions(0), site.seen.len()), (vec![], 0), "nothing is durable");
    site.keep();
    assert_eq!(site.hears_in_sessions(0), ["new code"]);
    assert_eq!(site.seen, ["new code"], "who has no session hears it too");

    site.journal.clear();
    site.restart(LIMITS, 0);
    site.asks(2, &asks(2, FIRST, [0, 0, 0]), None);
    let heard = ["2: welcome 2, 0 heard, from 0", "2: new code"];
    assert_eq!(site.hears_in_sessions(0), heard);
}

#[test]
fn who_has_seen_what_a_restored_room_has_not_said_is_told() {
    let mut site = Site::found();
    site.asks(1, &asks(1, Life::default(), [0, 0, 0]), None);
    site.keep();
    site.hears_in_sessions(0);
    assert!(site.says_in_session(1, "a"));
    site.keep();
    let copy = (site.state.clone(), site.journal.clone());
    assert!(site.says_in_session(1, "b"));
    site.keep();
    assert_eq!(site.hears_in_sessions(0), ["1", "2"]);
    (site.state, site.journal) = copy;
    site.restart(LIMITS, 0);
    site.asks(2, &asks(2, FIRST, [1, 1, 2]), None);
    assert_eq!(site.hears_in_sessions(0), ["2: welcome 1, 1 heard, from 1"], "that is as it was");
    assert!(site.says_in_session(2, "c"));
    site.keep();
    assert_eq!(site.hears_in_sessions(0), ["2"]);
    site.asks(3, &asks(3, FIRST, [2, 1, 3]), None);
    assert_eq!(site.hears_in_sessions(0), ["3: close 4200 heard=2"]);
}

#[test]
fn a_session_outlives_a_message_that_fails_and_hears_of_it() {
    let mut site = Site::found();
    site.asks(1, &asks(1, Life::default(), [0, 0, 0]), None);
    site.keep();
    assert_eq!(site.hears_in_sessions(0), ["1: welcome 1, 0 heard, from 0"]);
    assert!(site.says_in_session(1, "a") && !site.says_in_session(1, "fail"));
    site.keep();
    assert_eq!(site.room.back_again(site.again(), at(1)), Consequence::Told(ClientId(1)));
    assert!(site.says_in_session(1, "b"));
    site.keep();
    assert_eq!(site.hears_in_sessions(0), ["1", "@skipped 2 no", "2"]);
    site.restart(LIMITS, 0);
    site.asks(2, &asks(2, FIRST, [1, 0, 3]), None);
    let heard = site.hears_in_sessions(0);
    assert_eq!(heard, ["2: welcome 1, 3 heard, from 1", "2: \0skipped 2 no", "2: 2"]);
}

#[test]
fn who_comes_without_a_session_has_nothing_to_do_with_one_that_was_closed() {
    let mut site = Site::found();
    site.asks(1, &asks(1, Life::default(), [0; 3]), Some("ada"));
    site.keep();
    site.hears_in_sessions(0);
    assert!(site.says_in_session(1, "close"));
    site.keep();
    assert_eq!(site.hears_in_sessions(0).last().unwrap(), "1: close 4301 go");
    site.joins(Some("ada"));
    site.keep();
    assert!(!site.says(1, "fail", 1));
    site.keep();
    let room = site.again();
    assert_eq!(site.room.back_again(room, at(1)), Consequence::Close(ClientId(1), "no"));
}

#[test]
fn who_has_come_back_with_a_session_has_its_grace_and_no_other() {
    let mut site = Site::found();
    site.joins(Some("ada"));
    site.keep();
    site.restart(LIMITS, 0);
    site.asks(1, &asks(1, Life::default(), [0; 3]), Some("ada"));
    site.keep();
    assert_eq!(site.hears_in_sessions(0), ["1: welcome 1, 0 heard, from 0"]);
    let (host, now) = site.room.sessions(at(0)).unwrap();
    assert_eq!(host.ended(SocketId(1), false, now), None);
    assert_eq!(site.room.next_absent(at(10_000), |_| false), None);
}

#[test]
fn a_session_goes_on_while_its_room_is_not_in_memory() {
    let mut site = Site::found();
    site.asks(1, &asks(1, Life::default(), [0, 0, 0]), None);
    site.keep();
    let state = site.room.take_state().unwrap();
    site.room.state_kept(state.at);
    site.state = Some((state.at, state.encode().unwrap()));
    site.journal.clear();
    site.hears_in_sessions(0);
    site.room.leave_memory();
    assert!(!site.room.is_in_memory());
    let (host, now) = site.room.sessions(at(0)).unwrap();
    assert_eq!(host.listen(SocketId(1), Frame::Text("\0probe"), now), Listened::Nothing);
    assert_eq!(site.hears_in_sessions(0), ["1: ack 0"]);
    let (host, now) = site.room.sessions(at(5)).unwrap();
    assert_eq!(host.ended(SocketId(1), false, now), None);
    assert_eq!(site.room.sessions_deadline(), Some(at(30_005)), "its grace runs");
    assert!(site.room.has_session(ClientId(1)) && !site.room.has_session(ClientId(2)));

    site.room.bring_in(site.again());
    site.asks(2, &asks(2, FIRST, [0, 0, 0]), None);
    assert_eq!(site.hears_in_sessions(6), ["2: welcome 1, 0 heard, from 0"]);
    assert_eq!(site.room.sessions_deadline(), None);
}

#[test]
fn a_newer_session_of_the_same_login_takes_the_place_of_the_older_one() {
    let mut site = Site::found();
    let ada = Some("ada");
    site.asks(1, &asks(1, Life::default(), [0, 0, 0]), ada);
    site.keep();
    assert_eq!(site.hears_in_sessions(0), ["1: welcome 1, 0 heard, from 0"]);
    assert!(site.says_in_session(1, "a"));
    let other = Request { key: Key::new([8; 16]), ..asks(1, Life::default(), [0, 0, 0]) };
    site.asks(2, &other, ada);
    site.keep();
    let heard = ["1", "1: close 4300 moved", "2: welcome 1, 0 heard, from 0"];
    assert_eq!(site.hears_in_sessions(0), heard);
    // What the older one has said is no word of the newer one.
    let (host, _) = site.room.sessions(at(0)).unwrap();
    assert_eq!(host.ledger().heard(ClientId(1)), Some(0));
    assert_eq!(site.hears_in_sessions(60_000), Vec::<String>::new());
}
