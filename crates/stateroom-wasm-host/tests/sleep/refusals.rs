//! What keeps a room from sleeping, or from waking.

use crate::support::{How, NO_BINARY, NO_TIMER, Room, engine, module};
use stateroom::{ClientId, Sleep, StateroomService, StateroomServiceFactory};
use stateroom_wasm_host::{CannotSleep, LoadError};

/// A module with such state runs, stays awake, and says why.
#[test]
fn a_module_with_state_that_no_snapshot_holds_stays_awake() {
    let table = r#"(table $t 2 9 funcref) (elem $passive func $f) (func $f)"#;
    let cases = [
        ("(func (table.set (i32.const 0) (ref.null func)))", CannotSleep::TableSet),
        ("(func (drop (table.grow (ref.null func) (i32.const 1))))", CannotSleep::TableGrow),
        ("(func (table.fill (i32.const 0) (ref.null func) (i32.const 1)))", CannotSleep::TableFill),
        ("(func (table.copy (i32.const 0) (i32.const 1) (i32.const 1)))", CannotSleep::TableCopy),
        (
            "(func (table.init $passive (i32.const 0) (i32.const 0) (i32.const 1)))",
            CannotSleep::TableInit,
        ),
        ("(func (elem.drop $passive))", CannotSleep::ElemDrop),
        (r#"(data $d "x") (func (data.drop $d))"#, CannotSleep::DataDrop),
        ("(global (mut funcref) (ref.null func))", CannotSleep::ReferenceGlobal),
    ];
    let engine = engine(2);
    for (items, reason) in cases {
        let text = module("", &format!("{table} {items} {NO_BINARY} {NO_TIMER}"));
        let factory = engine.load_bytes("test", text.as_bytes()).unwrap();
        assert_eq!(factory.can_sleep(), Err(reason));
        let mut room = Room::start(&factory);
        assert!(matches!(room.host.sleep(), Sleep::StaysAwake));
        assert!(room.host.is_awake());
        room.host.message(ClientId(1), "still here");
        assert_eq!(room.host.failure(), None);
        assert_eq!(room.host.snapshot(), Err(reason));
    }
    let reason = CannotSleep::TableSet.to_string();
    assert!(reason.contains("table.set"), "{reason}");
}

#[test]
fn more_globals_than_anybody_needs_keep_a_module_awake() {
    let globals = "(global (mut i64) (i64.const 1))".repeat(1_001);
    let text = module("", &format!("{globals} {NO_BINARY} {NO_TIMER}"));
    let factory = engine(2).load_bytes("test", text.as_bytes()).unwrap();
    assert_eq!(factory.can_sleep(), Err(CannotSleep::TooManyGlobals));
}

#[test]
fn names_that_are_the_hosts_are_refused() {
    let text = module("", &format!(r#"(func (export "stateroom:start")) {NO_BINARY} {NO_TIMER}"#));
    let error = engine(2).load_bytes("test", text.as_bytes()).err().unwrap();
    assert!(matches!(error, LoadError::NotWasm { .. }), "{error}");
    assert!(error.to_string().contains("`stateroom:start`"), "{error}");
}

/// While others take every place, a sleeping room waits unharmed; an event that doesn't wait ends it
/// with a reason.
#[test]
fn a_room_that_finds_no_place_sleeps_on() {
    let engine = engine(1);
    let text = module("", &format!("{NO_BINARY} {NO_TIMER}"));
    let factory = engine.load_bytes("test", text.as_bytes()).unwrap();
    let mut room = Room::start(&factory);
    let before = room.snapshot();
    room.sleep(How::Raw);
    assert_eq!(engine.live_rooms(), 0);

    let mut other = Room::start(&factory);
    assert!(!room.host.wake());
    assert!(!room.host.is_awake());
    assert_eq!(room.host.failure(), None);
    assert!(factory.build("third", crate::support::Recorder::default()).is_err());

    other.sleep(How::Raw);
    assert!(room.host.wake());
    assert!(room.snapshot() == before);

    other.host.message(ClientId(1), "no place");
    let failure = other.host.failure().unwrap();
    assert_eq!(failure.summary, "room failed: the server is full");
    assert!(matches!(other.host.sleep(), Sleep::StaysAwake));
    assert_eq!(other.host.footprint(), 0);
}

/// A room that has failed neither sleeps nor has a state.
#[test]
fn a_failed_room_does_not_sleep() {
    let text = module("", &format!(r#"(func (export "timer") unreachable) {NO_BINARY}"#));
    let factory = engine(1).load_bytes("test", text.as_bytes()).unwrap();
    let mut room = Room::start(&factory);
    room.sleep(How::Compressed);
    room.host.timer();
    assert!(room.host.failure().is_some());
    assert!(matches!(room.host.sleep(), Sleep::StaysAwake));
    assert_eq!(room.host.snapshot(), Ok(None));
}
