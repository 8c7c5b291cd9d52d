//! HTTP requests to rooms of modules: those that hear them, those that do not, and those that answer nonsense.

use crate::support::{Recorder, Room, check_failure, engine, load, short, start};
use stateroom::{Request, Response, StateroomService as _, StateroomServiceFactory};
use stateroom_wasm_host::{Limits, WasmHost, WasmHostFactory};

/// Answers 200 with what it is passed, the encoded request, as the body: the address of what it tells is 256, and the
/// answer is at 65,536.
const ECHO: &str = r#"(func (export "stateroom_v1_request") (param $pointer i32) (param $length i32) (result i32)
    (i32.store (i32.const 65536) (i32.const (;status;) 200))
    (i32.store (i32.const 65540) (local.get $length))
    (memory.copy (i32.const 65544) (local.get $pointer) (local.get $length))
    (i32.store (i32.const 256) (i32.const (;failed;) 0))
    (i32.store (i32.const 260) (i32.const (;pointer;) 65536))
    (i32.store (i32.const 264) (i32.add (local.get $length) (i32.const (;more;) 8)))
    (i32.const 256))"#;

fn hears(factory: &WasmHostFactory) -> bool {
    StateroomServiceFactory::<Recorder>::hears_requests(factory)
}

#[test]
fn a_module_is_passed_the_request_and_tells_its_answer() {
    let engine = engine(Limits::default());
    let factory = load(&engine, &[("(;items;)", ECHO)]);
    assert!(hears(&factory));
    let mut room = Room::start(&factory);
    for body in ["", "hello", &"x".repeat(10_000)] {
        let request = Request::post("/a?b=1", body).with_header("accept", "*/*").with_user("ada");
        let Response { status, headers, body } = room.host.request(&request);
        assert_eq!((status, headers.len(), body), (200, 0, request.encode()));
    }
    drop(room.host.sleep());
    assert_eq!(room.host.request(&Request::get("/")).status, 200, "it wakes for a request");
}

#[test]
fn a_module_that_does_not_hear_requests_has_no_answer() {
    let engine = engine(Limits::default());
    let factory = load(&engine, &[]);
    assert!(!hears(&factory));
    let mut room = Room::start(&factory);
    assert_eq!(room.host.request(&Request::get("/")), Response::new(404));
    assert_eq!(room.host.failure(), None);
}

#[test]
fn an_answer_that_is_none_is_the_rooms_failure() {
    let asks = |host: &mut WasmHost| drop(host.request(&Request::get("/")));
    for (place, other, told) in [
        ("(;status;) 200", "101", "cannot be decoded: the status is not one from 200 to 599"),
        ("(;failed;) 0", "1", "cannot be decoded: it says that it has none"),
        ("(;more;) 8", "7", "cannot be decoded: a field is longer than what is there"),
        ("(;pointer;) 65536", "131072", "past the end of its memory"),
    ] {
        let guest = ECHO.replace(place, other);
        let edits = [("(;items;)", &*guest)];
        let summary = "room failed: an error in its service";
        check_failure(short(1_000), &edits, asks, summary, &[told]);
    }
}

#[test]
fn an_answer_counts_as_what_the_event_sends() {
    let mut limits = Limits { bytes_per_event: 40, ..Limits::default() };
    let edits = [("(;items;)", ECHO)];
    let asks = |host: &mut WasmHost| drop(host.request(&Request::get("/0123456789")));
    let summary = "room failed: an event sent too much";
    check_failure(limits.clone(), &edits, asks, summary, &["more than 40 bytes"]);
    limits.bytes_per_event = 100;
    let mut room = Room::start(&load(&engine(limits), &edits));
    assert_eq!(room.host.request(&Request::get("/0123456789")).status, 200);
    assert_eq!(start(&edits).host.request(&Request::get("/0123456789")).status, 200);
}
