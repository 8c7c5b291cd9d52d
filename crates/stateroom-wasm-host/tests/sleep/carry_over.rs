//! A room is carried over to new code, which has to want its state, and stays as it was if not.

use crate::support::{Asked, BIRTH, How, NO_BINARY, Recorder, Room, engine, guest, module};
use stateroom::{
    Birth, ClientId, MessageRecipient, RestoreFailure, ServiceFailure, StateroomService,
    StateroomServiceFactory,
};
use stateroom_wasm_host::{HostConfig, Limits, WasmEngine, WasmHost, WasmHostFactory};
use std::time::Duration;

const ADA: ClientId = ClientId(1);

fn said(text: &str) -> Asked {
    Asked::Text(MessageRecipient::Client(ADA), text.into())
}

fn take_over(
    factory: &WasmHostFactory,
    asked: &Recorder,
    state: &[u8],
) -> Result<WasmHost, RestoreFailure> {
    factory.take_over("lobby", asked.clone(), &BIRTH, state)
}

/// A tally of which something was said, and its state.
fn tally() -> (Room, String) {
    let mut room = Room::start(&engine(3).load(guest("examples/tally")).unwrap());
    room.host.message(ADA, "one");
    room.host.message(ADA, "two");
    room.take();
    let state = room.host.hand_over().unwrap().unwrap();
    (room, String::from_utf8(state).unwrap())
}

#[test]
fn a_field_more_with_a_default_keeps_the_state() {
    let (_, state) = tally();
    assert_eq!(state, r#"{"count":2,"by_client":{"1":2}}"#);
    let grown = engine(3).load(guest("examples/tally_grown")).unwrap();
    assert!(StateroomServiceFactory::<Recorder>::takes_over(&grown));
    let asked = Recorder::default();
    let mut host = take_over(&grown, &asked, state.as_bytes()).unwrap();
    assert_eq!(asked.take(), [], "`new` is not called");
    host.message(ADA, "three");
    assert_eq!(asked.take(), [said("three: 3")]);
    let state = host.hand_over().unwrap().unwrap();
    assert_eq!(state, br#"{"count":3,"by_client":{"1":3},"longest":5}"#);
    // And back: what the older code does not know it leaves out.
    let older = engine(3).load(guest("examples/tally")).unwrap();
    let mut host = take_over(&older, &asked, &state).unwrap();
    assert_eq!(host.hand_over(), Some(Ok(br#"{"count":3,"by_client":{"1":3}}"#.to_vec())));
}

#[test]
fn a_renamed_field_is_refused_with_its_name_and_the_room_goes_on() {
    let (mut room, state) = tally();
    let renamed = engine(1).load(guest("examples/tally_renamed")).unwrap();
    let asked = Recorder::default();
    match take_over(&renamed, &asked, state.as_bytes()) {
        Err(RestoreFailure::Failed(ServiceFailure { summary, detail })) => {
            assert_eq!(summary, "room failed: new code can't take it over");
            assert!(detail.contains("missing field `total`"), "{detail}");
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it is accepted"),
    }
    assert_eq!(renamed.engine().live_rooms(), 0, "its place is given back");
    room.host.message(ADA, "three");
    assert_eq!(room.take(), [said("three: 3")]);
}

#[test]
fn telling_its_state_leaves_a_room_as_it_is() {
    let (mut room, state) = tally();
    let (before, digest) = (room.snapshot(), room.host.state_digest());
    for how in [None, Some(How::Raw), Some(How::Compressed)] {
        if let Some(how) = how {
            room.sleep(how);
        }
        let (awake, footprint) = (room.host.is_awake(), room.host.footprint());
        assert_eq!(room.host.hand_over(), Some(Ok(state.clone().into_bytes())), "{how:?}");
        assert_eq!(room.host.is_awake(), awake, "{how:?}");
        assert_eq!(room.host.footprint(), footprint, "{how:?}");
        assert!(room.snapshot() == before, "{how:?}");
        assert_eq!(room.host.state_digest(), digest);
        assert!(room.host.wake());
    }
    assert_eq!(room.take(), []);
}

/// What it is born with is new; the state is the old one.
#[test]
fn a_room_that_was_taken_over_can_be_saved_and_lives_the_same_life_again() {
    let (_, state) = tally();
    let factory = engine(2).load(guest("examples/tally_grown")).unwrap();
    let birth = Birth { time: BIRTH.time + Duration::from_secs(5), seed: [9; 32], ..BIRTH };
    let taken = || {
        let asked = Recorder::default();
        factory.take_over("lobby", asked, &birth, state.as_bytes()).unwrap()
    };
    let digest = taken().state_digest().unwrap();
    let mut room = taken();
    assert_eq!(room.state_digest(), Some(digest));
    let bytes = room.save().unwrap().encode().unwrap();
    let mut restored = factory.restore("lobby", Recorder::default(), &bytes).unwrap();
    assert_eq!(restored.state_digest(), Some(digest));
}

#[test]
fn services_that_have_not_opted_in_neither_hand_over_nor_take_over() {
    let factory = engine(2).load(guest("bench_guest")).unwrap();
    assert!(!StateroomServiceFactory::<Recorder>::takes_over(&factory));
    let mut room = Room::start(&factory);
    assert!(room.host.hand_over().is_none());
    let refused = take_over(&factory, &Recorder::default(), b"{}").err();
    assert_eq!(refused, Some(RestoreFailure::Unsupported));
}

/// Whoever has not opted in pays nothing.
#[test]
fn services_that_have_not_opted_in_have_no_json_in_their_modules() {
    let has_json = |name| {
        let module = std::fs::read(guest(name)).unwrap();
        module.windows(5).any(|bytes| bytes == b"serde")
    };
    assert!(has_json("examples/tally"));
    assert!(!has_json("bench_guest"));
}

#[test]
fn new_code_finds_no_place_while_all_are_taken() {
    let factory = engine(1).load(guest("examples/tally")).unwrap();
    let mut room = Room::start(&factory);
    let state = room.host.hand_over().unwrap().unwrap();
    let refused = take_over(&factory, &Recorder::default(), &state).err();
    assert_eq!(refused, Some(RestoreFailure::Full));
    // Nor does a sleeping room to tell its state, which does not end it.
    room.sleep(How::Raw);
    let mut other = Room::start(&factory);
    let failure = room.host.hand_over().unwrap().unwrap_err();
    assert_eq!(failure.summary, "room failed: the server is full");
    assert_eq!(room.host.failure(), None);
    other.sleep(How::Raw);
    assert_eq!(room.host.hand_over(), Some(Ok(state)));
}

/// A module whose two functions are these, and which counts its timers at 64.
fn odd(hand_over: &str, take_over: &str, more: &str) -> String {
    module(
        r#"(import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))"#,
        &format!(
            r#"(data (i32.const 2048) "\00\00\00\00\10\08\00\00\02\00\00\00\00\00\00\00{{}}")
            (data (i32.const 2304) "\01\00\00\00\10\09\00\00\04\00\00\00\00\00\00\00no\1b!")
            (func (export "timer")
              (i32.store (i32.const 64) (i32.add (i32.const 1) (i32.load (i32.const 64))))
              (call $send (i32.const 1) (i32.const 64) (i32.const 1)))
            (func (export "stateroom_v1_hand_over") (result i32) {hand_over})
            (func (export "stateroom_v1_take_over") (param i32 i32 i32 i32) (result i32)
              {take_over})
            {more} {NO_BINARY}"#
        ),
    )
}

fn short() -> WasmEngine {
    let limits = Limits { cpu_time_per_event: Duration::from_millis(20), ..Limits::default() };
    WasmEngine::new(HostConfig { max_rooms: Some(2), limits, ..HostConfig::default() }).unwrap()
}

const STATE: &str = "(i32.const 2048)";
const REASON: &str = "(i32.const 2304)";

/// Functions that do what they should not, and what is told of them.
const MISTAKES: [(&str, &str); 7] = [
    ("unreachable", "unreachable"),
    ("(loop (br 0)) (i32.const 0)", "of CPU time"),
    ("(i32.const -4)", "past the end of its memory"),
    ("(i32.store (i32.const 2052) (i32.const -1)) (i32.const 2048)", "past the end of its memory"),
    ("(i32.store (i32.const 2056) (i32.const -1)) (i32.const 2048)", "past the end of its memory"),
    ("(i32.const 131068)", "past the end of its memory"),
    (REASON, "no\u{fffd}!"),
];

#[test]
fn a_guest_that_fails_to_tell_its_state_stays_as_it_was() {
    let sends = (
        "(call $send (i32.const 1) (i32.const 64) (i32.const 1)) (i32.const 2048)",
        "while it told its state",
    );
    let engine = short();
    for (hand_over, told) in MISTAKES.into_iter().chain([sends]) {
        let before = "(drop (call $random (i32.const 64) (i32.const 8)))";
        let text = odd(&format!("{before} {hand_over}"), STATE, "");
        let mut room = Room::start(&engine.load_bytes("odd", text.as_bytes()).unwrap());
        room.host.timer();
        let digest = room.host.state_digest();
        let failure = room.host.hand_over().unwrap().unwrap_err();
        assert!(failure.detail.contains(told), "{told}: {failure}");
        assert_eq!(room.host.failure(), None, "{told}");
        assert_eq!(room.host.state_digest(), digest, "{told}");
        room.host.timer();
        let count = |count| Asked::Binary(MessageRecipient::Client(ADA), vec![count]);
        assert_eq!(room.take(), [count(1), count(2)], "{told}");
    }
}

#[test]
fn a_guest_that_fails_to_take_over_says_why_and_leaves_no_room() {
    let engine = short();
    let no_reason = (STATE, "it tells no reason");
    for (take_over, told) in MISTAKES.into_iter().chain([no_reason]) {
        let text = odd(STATE, take_over, "");
        let factory = engine.load_bytes("odd", text.as_bytes()).unwrap();
        let refused = self::take_over(&factory, &Recorder::default(), b"{}").err();
        let Some(RestoreFailure::Failed(failure)) = refused else { panic!("{refused:?}") };
        assert!(failure.detail.contains(told), "{told}: {failure}");
        assert_eq!(engine.live_rooms(), 0);
    }
}

/// There is no snapshot to go back to.
#[test]
fn a_room_that_cannot_sleep_tells_its_state_all_the_same() {
    let engine = short();
    let restless = "(table 2 funcref) (func (table.set (i32.const 0) (ref.null func)))";
    for (hand_over, fails) in [(STATE, false), ("unreachable", true)] {
        let text = odd(hand_over, "(i32.const 0)", restless);
        let mut room = Room::start(&engine.load_bytes("odd", text.as_bytes()).unwrap());
        let told = room.host.hand_over().unwrap();
        assert_eq!(told.is_err(), fails);
        assert_eq!(room.host.failure().is_some(), fails);
        if fails {
            assert!(room.host.hand_over().is_none());
        } else {
            assert_eq!(told.unwrap(), b"{}");
        }
    }
}
