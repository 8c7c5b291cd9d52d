//! Whatever a guest does wrong is its own failure, with a short reason and a long one, and the rooms
//! beside it go on.

use crate::support::{ADA, Asked, BASE, Room, check_failure, edited, engine, start, text};
use stateroom::{ClientId, MessageRecipient, StateroomService};
use stateroom_wasm_host::Limits;

const ERROR: &str = "room failed: an error in its service";

/// Asserts how a room fails whose timer does `body`.
#[track_caller]
fn check_timer(imports: &str, body: &str, told: &[&str]) {
    let edits = [("(;imports;)", imports), ("(;timer;)", body)];
    check_failure(Limits::default(), &edits, |room| room.timer(), ERROR, told);
}

/// Asserts how a room fails at a message, when it allocates or lends so.
#[track_caller]
fn check_message(edits: &[(&str, &str)], told: &[&str]) {
    let event = |room: &mut stateroom_wasm_host::WasmHost| room.message(ADA, "a longer message");
    check_failure(Limits::default(), edits, event, ERROR, told);
}

#[test]
fn an_address_past_the_end_of_memory_is_told_with_the_sizes() {
    for send in ["$send_message", "$send_binary"] {
        for (pointer, length) in
            [("131072", "1"), ("131070", "3"), ("-1", "1"), ("1", "16777215"), ("-16", "16")]
        {
            let body =
                format!("(call {send} (i32.const 0) (i32.const {pointer}) (i32.const {length}))");
            check_timer("", &body, &["past the end of its memory of 131072 bytes"]);
        }
    }
}

#[test]
fn a_length_that_overflows_is_too_much() {
    check_failure(
        Limits::default(),
        &[("(;timer;)", "(call $send_binary (i32.const 0) (i32.const -1) (i32.const -1))")],
        |room| room.timer(),
        "room failed: an event sent too much",
        &["more than 16777216 bytes"],
    );
    check_failure(
        Limits { bytes_per_event: usize::MAX, ..Limits::default() },
        &[("(;timer;)", "(call $send_binary (i32.const 0) (i32.const -1) (i32.const -1))")],
        |room| room.timer(),
        ERROR,
        &["4294967295 bytes at address 4294967295"],
    );
}

#[test]
fn nothing_at_the_very_end_of_memory_is_a_message() {
    let body = "(call $send_message (i32.const 0) (i32.const 131072) (i32.const 0))";
    let mut room = start(&[("(;timer;)", body)]);
    assert_eq!(room.fire(), [text(MessageRecipient::Broadcast, "")]);
}

#[test]
fn text_that_is_not_utf8_is_refused_and_binary_is_not() {
    let data = ("(;items;)", r#"(data (i32.const 2048) "a\ff")"#);
    let body = "(call $send_message (i32.const 0) (i32.const 2048) (i32.const 2))";
    let edits = [data, ("(;timer;)", body)];
    let told = ["text that is not UTF-8"];
    check_failure(Limits::default(), &edits, |room| room.timer(), ERROR, &told);
    let body = body.replace("$send_message", "$send_binary");
    start(&[data, ("(;timer;)", &body)]).fire();
}

#[test]
fn a_message_to_whoever_it_may_be_is_passed_on() {
    for (number, recipient) in [
        ("77", MessageRecipient::Client(ClientId(77))),
        ("0x7fffffff", MessageRecipient::Client(ClientId(i32::MAX as u32))),
        ("-77", MessageRecipient::EveryoneExcept(ClientId(77))),
        ("0x80000000", MessageRecipient::EveryoneExcept(ClientId(1 << 31))),
        ("0", MessageRecipient::Broadcast),
    ] {
        let body = format!("(call $send_message (i32.const {number}) (i32.const 8) (i32.const 1))");
        assert_eq!(start(&[("(;timer;)", &body)]).fire(), [text(recipient, "\u{1}")]);
    }
}

#[test]
fn a_client_is_closed_with_a_code_of_its_services_own_or_the_room_fails() {
    for (code, is_taken) in
        [(1000, true), (4301, true), (4999, true), (1001, false), (4300, false), (70_536, false)]
    {
        let import = r#"(import "stateroom_v1" "close" (func $close (param i32 i32 i32 i32)))"#;
        let body =
            format!("(call $close (i32.const 1) (i32.const {code}) (i32.const 8) (i32.const 1))");
        let mut room = start(&[("(;imports;)", import), ("(;timer;)", &body)]);
        room.host.timer();
        let asked = room.take();
        assert_eq!(room.host.failure().is_none(), is_taken, "{code}");
        let closed = Asked::Closed(ADA, code as u16, "\u{1}".to_owned());
        assert_eq!(asked, if is_taken { vec![closed] } else { Vec::new() });
    }
}

#[test]
fn who_is_there_is_told_as_far_as_there_is_a_place_for_it() {
    // The recorder knows clients 3 and 70,000; the first of them is Ada.
    for (call, wanted) in [
        ("(call $clients (i32.const 0) (i32.const 0))", vec![2, 1]),
        ("(call $clients (i32.const 8) (i32.const 1))", vec![2, 3]),
        ("(call $user (i32.const 3) (i32.const 0) (i32.const 0))", vec![3, 1]),
        ("(call $user (i32.const 3) (i32.const 8) (i32.const 3))", vec![3, 0x61_64_61]),
        ("(call $user (i32.const 70000) (i32.const 8) (i32.const 4))", vec![u32::MAX, 1]),
        ("(call $user (i32.const 5) (i32.const 8) (i32.const 4))", vec![u32::MAX, 1]),
    ] {
        let imports = r#"(import "stateroom_v1" "clients" (func $clients (param i32 i32) (result i32)))
            (import "stateroom_v1" "user" (func $user (param i32 i32 i32) (result i32)))"#;
        let body = format!("(call $set_timer {call}) (call $set_timer (i32.load (i32.const 8)))");
        let mut room = start(&[("(;imports;)", imports), ("(;timer;)", &body)]);
        assert_eq!(room.fire(), wanted.into_iter().map(Asked::Timer).collect::<Vec<_>>(), "{call}");
    }
    let import =
        r#"(import "stateroom_v1" "clients" (func $clients (param i32 i32) (result i32)))"#;
    let body = "(drop (call $clients (i32.const 131068) (i32.const 2)))";
    let mut room = start(&[("(;imports;)", import), ("(;timer;)", body)]);
    room.host.timer();
    assert!(room.host.failure().is_some(), "past the end of its memory");
}

#[test]
fn a_client_of_any_number_is_told_to_the_guest_as_it_is() {
    for client in [ClientId(1), ClientId(u32::MAX)] {
        let mut room = start(&[("(;connect;)", "(call $set_timer (local.get $client))")]);
        room.host.connect(client);
        assert_eq!(room.take(), [Asked::Timer(client.0)]);
    }
}

#[test]
fn an_allocator_that_answers_outside_memory_fails_the_room() {
    let edits = [(
        "(i32.const (;place;) 1024)",
        "(select (i32.const 131070) (i32.const 1024) (i32.gt_u (local.get $size) (i32.const 5)))",
    )];
    check_message(&edits, &["16 bytes at address 131070, past the end of its memory"]);
}

#[test]
fn an_allocator_that_answers_an_odd_address_is_as_good_as_any() {
    let mut room = start(&[("(;place;) 1024", "1023")]);
    assert_eq!(room.say("hello"), [text(ADA, "hello")]);
}

#[test]
fn an_allocator_that_answers_0_is_taken_at_its_word_as_by_the_published_hosts() {
    let mut room = start(&[("(;place;) 1024", "0")]);
    assert_eq!(room.say("hello"), [text(ADA, "hello")]);
}

#[test]
fn an_allocator_that_answers_0_after_it_was_refused_memory_has_none() {
    let full = "(if (i32.gt_u (local.get $size) (i32.const 5)) \
                (then (drop (memory.grow (i32.const 2000))))) (i32.const 0)";
    check_failure(
        Limits::default(),
        &[("(i32.const (;place;) 1024)", full)],
        |room| room.message(ADA, "a longer message"),
        "room failed: out of memory",
        &["had no 16 bytes"],
    );
}

#[test]
fn an_allocator_that_answers_0_beside_a_buffer_that_is_lent_has_none() {
    check_failure(
        Limits::default(),
        &[("(;items;)", &lending("4096")), ("(;place;) 1024", "0")],
        |room| room.binary(ADA, &[7; 70_000]),
        ERROR,
        &["had no 70000 bytes"],
    );
}

#[test]
fn an_allocator_or_a_free_that_traps_fails_the_room() {
    let size = "(if (i32.gt_u (local.get $size) (i32.const 5)) (then unreachable)) (i32.const 64)";
    check_message(&[("(i32.const (;place;) 1024)", size)], &["unreachable"]);
    let free = r#"(func (export "jam_free") (param i32 i32))"#;
    let traps = r#"(func (export "jam_free") (param i32 i32)
        (if (i32.gt_u (local.get 1) (i32.const 5)) (then unreachable)))"#;
    check_message(&[(free, traps)], &["unreachable"]);
}

/// A buffer to lend: the room's id is put at 1024, and what is longer than 1 KiB elsewhere.
fn lending(address: &str) -> String {
    format!(
        r#"(func (export "stateroom_v1_buffer") (param $length i32) (result i32)
            (select (i32.const {address}) (i32.const 1024)
                (i32.gt_u (local.get $length) (i32.const 1024))))"#
    )
}

#[test]
fn a_buffer_that_is_lent_inside_memory_is_used() {
    let mut room = start(&[("(;items;)", &lending("4096")), ("(;place;) 1024", "-1")]);
    for length in [0, 1, 1024, 1025, 10_000, 65_536, 3] {
        let said = "x".repeat(length);
        assert_eq!(room.say(&said), [text(ADA, &said)], "{length}");
    }
}

#[test]
fn a_buffer_that_is_lent_outside_memory_fails_the_room() {
    for (address, told) in [
        ("-1", "2000 bytes at address 4294967295, past the end"),
        ("131000", "2000 bytes at address 131000, past the end"),
        ("0", "the guest had no 2048 bytes for a message"),
    ] {
        check_failure(
            Limits::default(),
            &[("(;items;)", &lending(address))],
            |room| room.binary(ADA, &[7; 2000]),
            ERROR,
            &[told],
        );
    }
}

#[test]
fn a_guest_that_exits_is_told_with_its_code() {
    let import = r#"(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))"#;
    check_timer(import, "(call $exit (i32.const 3))", &["ended itself with exit code 3"]);
    check_timer(import, "(call $exit (i32.const 0))", &["ended itself with exit code 0"]);
}

#[test]
fn a_function_of_wasi_that_no_room_has_is_named_when_it_is_called() {
    let import = r#"(import "wasi_snapshot_preview1" "sock_accept" (func $accept (param i32) (result i32)))"#;
    check_timer(
        import,
        "(drop (call $accept (i32.const 1)))",
        &["the service called `wasi_snapshot_preview1.sock_accept`: a room has no network"],
    );
    let import = r#"(import "wasi_snapshot_preview1" "path_open" (func $open))"#;
    check_timer(import, "(call $open)", &["wasi_snapshot_preview1.path_open", "has no files"]);
}

#[test]
fn a_room_that_would_wait_is_told_of_timers() {
    let import = r#"(import "wasi_snapshot_preview1" "poll_oneoff"
        (func $poll (param i32 i32 i32 i32) (result i32)))"#;
    let body = "(drop (call $poll (i32.const 8) (i32.const 64) (i32.const 1) (i32.const 80)))";
    check_timer(import, body, &["a room cannot wait: use a timer (`set_timer`)"]);
}

#[test]
fn a_function_of_wasi_that_is_only_imported_does_no_harm() {
    let import = r#"(import "wasi_snapshot_preview1" "path_open" (func (param i64)))"#;
    start(&[("(;imports;)", import)]).say("hello");
}

#[test]
fn traps_are_told_with_their_kind_and_place() {
    for (body, told) in [
        ("(unreachable)", "unreachable"),
        ("(drop (i32.div_u (i32.const 1) (i32.const 0)))", "divide by zero"),
        ("(drop (i32.load (i32.const -4)))", "out of bounds memory access"),
        ("(drop (i32.trunc_f32_s (f32.const nan)))", "invalid conversion to integer"),
        ("(call_indirect (i32.const 0))", "uninitialized element"),
        ("(call_indirect (i32.const 9))", "undefined element"),
    ] {
        let body = format!("(call $inner) ) (table 1 funcref) (func $inner {body}");
        check_timer("", &body, &[told, "; in inner < "]);
    }
}

#[test]
fn commands_of_the_encoding_generation_that_are_nonsense_fail_the_room() {
    let base = r#"(module
        (import "env" "stateroom_send" (func $send (param i32 i32)))
        (memory (export "memory") 1)
        (data (i32.const 8) "\01")
        (data (i32.const 1024) "\02\00\00\00\00\00\00\00\00\00\00\00\01\00\00\00\01\00\00\00\00\00\00\00\ff")
        (global (export "STATEROOM_API_VERSION") i32 (i32.const 8))
        (global (export "STATEROOM_API_PROTOCOL") i32 (i32.const 12))
        (func (export "stateroom_recv") (param i32) (param $length i32)
            (if (i32.eq (local.get $length) (i32.const 8)) (then (call $send (;what;)))))
        (func (export "stateroom_malloc") (param i32) (result i32) (i32.const 64))
        (func (export "stateroom_free") (param i32 i32)))"#;
    let engine = engine(Limits::default());
    let mut bystander = Room::start(&engine.load_bytes("echo.wasm", BASE.as_bytes()).unwrap());
    for (what, told) in [
        ("(i32.const 1024) (i32.const 21)", "an unknown command"),
        ("(i32.const 1024) (i32.const 0)", "it ends too early"),
        ("(i32.const -1) (i32.const 9)", "past the end of its memory"),
        ("(i32.const 1028) (i32.const 21)", "not UTF-8"),
    ] {
        let module = edited(base, &[("(;what;)", what)]);
        let mut room = Room::start(&engine.load_bytes("guest", module.as_bytes()).unwrap());
        room.host.connect(ADA);
        let failure = room.host.failure().expect(told);
        assert!(failure.detail.contains(told), "{failure}");
        bystander.say("hello");
    }
}
