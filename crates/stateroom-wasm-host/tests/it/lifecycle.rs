//! Rooms start while there are places, and give theirs back however they end.

use crate::support::{ADA, Recorder, Room, config, engine, load, start, text};
use stateroom::{StateroomService, StateroomServiceFactory};
use stateroom_wasm_host::{
    EngineError, HostConfig, Limits, StartError, WasmEngine, WasmHostFactory,
};

/// Why a room of the factory does not start.
#[track_caller]
pub(crate) fn start_error(factory: &WasmHostFactory) -> String {
    let error = factory.build("lobby", Recorder::default()).err().expect("it does not start");
    error.to_string()
}

fn engine_of(max_rooms: u32) -> WasmEngine {
    let config = config(Limits::default());
    WasmEngine::new(HostConfig { max_rooms: Some(max_rooms), ..config }).unwrap()
}

#[track_caller]
fn check_full(factory: &WasmHostFactory) {
    let error = factory.build("attic", Recorder::default()).err().expect("it is full");
    assert!(matches!(error, StartError::Full { max_rooms: 2, .. }), "{error}");
    let told = "room \"attic\" cannot start: all 2 rooms that may live at once do";
    assert_eq!(error.to_string(), told);
}

#[test]
fn one_room_more_than_the_limit_does_not_start_until_another_ends() {
    let engine = engine_of(2);
    assert_eq!((engine.max_rooms(), engine.live_rooms()), (2, 0));
    let factory = load(&engine, &[]);
    for _ in 0..20 {
        let (one, two) = (Room::start(&factory), Room::start(&factory));
        assert_eq!(engine.live_rooms(), 2);
        check_full(&factory);
        drop(one);
        let _three = Room::start(&factory);
        check_full(&factory);
        drop(two);
    }
    assert_eq!(engine.live_rooms(), 0);
}

#[test]
fn a_room_that_failed_gives_its_place_back_before_it_is_dropped() {
    let engine = engine_of(2);
    let factory = load(&engine, &[("(;timer;)", "(unreachable)")]);
    let mut failed = Vec::new();
    for _ in 0..20 {
        let mut room = Room::start(&factory);
        room.host.timer();
        assert!(room.host.failure().is_some());
        failed.push(room);
    }
    assert_eq!(engine.live_rooms(), 0);
}

#[test]
fn a_room_that_does_not_start_gives_its_place_back() {
    let engine = engine_of(2);
    let factory = load(&engine, &[("(;initialize;)", "(unreachable)")]);
    for _ in 0..20 {
        let error = start_error(&factory);
        assert!(
            error.starts_with("room \"lobby\" did not start: room failed: an error"),
            "{error}"
        );
    }
    assert_eq!(engine.live_rooms(), 0);
}

#[test]
fn a_module_can_be_loaded_while_all_rooms_live() {
    let engine = engine_of(2);
    let factory = load(&engine, &[]);
    let _rooms = [Room::start(&factory), Room::start(&factory)];
    check_full(&load(&engine, &[]));
}

#[test]
fn modules_are_loaded_on_several_threads_at_once() {
    let engine = engine_of(2);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| load(&engine, &[]));
        }
    });
}

#[test]
fn rooms_on_several_threads_share_the_places() {
    let engine = engine_of(8);
    let factory = load(&engine, &[]);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..100 {
                    assert_eq!(Room::start(&factory).say("hi"), [text(ADA, "hi")]);
                }
            });
        }
    });
    assert_eq!(engine.live_rooms(), 0);
}

#[test]
fn two_engines_know_nothing_of_each_other() {
    let (one, other) = (engine_of(2), engine_of(3));
    let (first, second) = (load(&one, &[]), load(&other, &[]));
    let _rooms = [Room::start(&first), Room::start(&first)];
    check_full(&first);
    assert_eq!(Room::start(&second).say("hi"), [text(ADA, "hi")]);
    assert_eq!((one.live_rooms(), other.live_rooms()), (2, 0));
    drop((one, first));
    assert_eq!(Room::start(&second).say("hi"), [text(ADA, "hi")]);
}

#[test]
fn a_room_outlives_the_handles_to_its_engine_and_module() {
    // `start` keeps neither.
    let mut room = start(&[("(;timer;)", "(loop (br 0))")]);
    assert_eq!(room.say("hello"), [text(ADA, "hello")]);
    room.host.timer();
    assert_eq!(room.host.failure().unwrap().summary, "room failed: an event took too long");
}

#[test]
fn a_room_is_told_its_id() {
    let send = "(call $send_message (i32.const 0) (local.get $pointer) (local.get $length))";
    let engine = engine(Limits::default());
    let factory = load(&engine, &[("(;initialize;)", send)]);
    for id in ["", "lobby", "Zürich ☂", &"long".repeat(1000)] {
        let asked = Recorder::default();
        let host = factory.build(id, asked.clone()).unwrap();
        let room = Room::of(host, asked);
        assert_eq!(room.take(), [text(stateroom::MessageRecipient::Broadcast, id)]);
    }
}

#[test]
fn the_stack_has_to_be_one() {
    let limits = Limits { stack_bytes: 0, ..Limits::default() };
    let error = WasmEngine::new(config(limits)).err().expect("no stack at all");
    assert!(matches!(error, EngineError::Settings { .. }), "{error}");
    assert!(error.to_string().contains("`stack_bytes` is 0"), "{error}");
}
