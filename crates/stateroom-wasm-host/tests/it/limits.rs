//! Each limit of a room has a sensible default, and binds.

use crate::support::{ADA, Asked, Room, check_failure, engine, load, module, start, text};
use stateroom::{MessageRecipient::Broadcast, StateroomService};
use stateroom_wasm_host::Limits;
use std::time::Duration;

#[test]
fn the_defaults_are_those_that_are_documented() {
    let Limits {
        memory_bytes,
        table_elements,
        stack_bytes,
        cpu_time_per_event,
        commands_per_event,
        bytes_per_event,
        log_line_bytes,
        log_lines_per_second,
    } = Limits::default();
    assert_eq!(memory_bytes, 64 << 20);
    assert_eq!(table_elements, 20_000);
    assert_eq!(stack_bytes, 512 << 10);
    assert_eq!(cpu_time_per_event, Duration::from_secs(1));
    assert_eq!(commands_per_event, 10_000);
    assert_eq!(bytes_per_event, 16 << 20);
    assert_eq!(log_line_bytes, 4 << 10);
    assert_eq!(log_lines_per_second, 100);
}

/// Asserts what `expression`, a number, is in a room with the default limits.
#[track_caller]
fn check_number(items: &str, expression: &str, expected: i32) {
    let timer = format!("(call $set_timer {expression})");
    let mut room = start(&[("(;items;)", items), ("(;timer;)", &timer)]);
    assert_eq!(room.fire(), [Asked::Timer(expected.cast_unsigned())]);
}

#[test]
fn memory_up_to_the_limit_is_granted() {
    check_number("", "(memory.grow (i32.const 1022))", 2);
}

#[test]
fn memory_past_the_limit_is_refused_and_the_room_goes_on() {
    check_number("", "(memory.grow (i32.const 1023))", -1);
    check_number("", "(memory.grow (i32.const 65535))", -1);
    check_number("", "(memory.grow (i32.const -1))", -1);
}

#[test]
fn a_room_that_ends_itself_for_lack_of_memory_is_told_as_out_of_memory() {
    check_failure(
        Limits::default(),
        &[(
            "(;timer;)",
            "(if (i32.eq (memory.grow (i32.const 2000)) (i32.const -1)) (then unreachable))",
        )],
        |room| room.timer(),
        "room failed: out of memory",
        &["unreachable"],
    );
}

#[test]
fn lack_of_memory_in_an_earlier_event_is_not_blamed_for_a_later_failure() {
    let mut room = start(&[
        ("(;connect;)", "(drop (memory.grow (i32.const 2000)))"),
        ("(;timer;)", "(unreachable)"),
    ]);
    room.host.connect(ADA);
    room.host.timer();
    assert_eq!(room.host.failure().unwrap().summary, "room failed: an error in its service");
}

#[test]
fn a_table_grows_to_the_limit_and_no_further() {
    let grow = |count| format!("(table.grow 0 (ref.null func) (i32.const {count}))");
    check_number("(table 1 funcref)", &grow(19_999), 1);
    check_number("(table 1 funcref)", &grow(20_000), -1);
    check_number("(table 1 funcref)", &grow(-1), -1);
}

#[test]
fn endless_recursion_ends_the_room_and_not_the_host() {
    check_failure(
        Limits::default(),
        &[("(;items;)", "(func $deeper (call $deeper))"), ("(;timer;)", "(call $deeper)")],
        |room| room.timer(),
        "room failed: recursion too deep",
        &["call stack exhausted", "in deeper < deeper"],
    );
}

#[test]
fn a_larger_stack_allows_deeper_recursion() {
    let deep = "(func $deep (param $left i32) (if (local.get $left) \
                (then (call $deep (i32.sub (local.get $left) (i32.const 1))))))";
    let edits = [("(;items;)", deep), ("(;timer;)", "(call $deep (i32.const 4000))")];
    let wat = module(&edits);
    for (stack_bytes, enough) in [(64 << 10, false), (512 << 10, true)] {
        let engine = engine(Limits { stack_bytes, ..Limits::default() });
        let mut room = Room::start(&engine.load_bytes("guest.wasm", wat.as_bytes()).unwrap());
        room.host.timer();
        assert_eq!(room.host.failure().is_none(), enough, "{stack_bytes}");
    }
}

/// A room that sends `count` texts of `length` bytes when its timer fires.
fn sends(count: u32, length: u32) -> String {
    format!(
        "(local $left i32) (local.set $left (i32.const {count})) (loop $again \
         (call $send_message (i32.const 0) (i32.const 1024) (i32.const {length})) \
         (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))"
    )
}

#[test]
fn an_event_may_give_as_many_commands_as_the_limit_each_time() {
    let mut room = start(&[("(;timer;)", &sends(10_000, 0))]);
    for _ in 0..3 {
        assert_eq!(room.fire().len(), 10_000);
    }
}

#[test]
fn one_command_more_than_the_limit_ends_the_room() {
    let told = ["more than 10000 commands"];
    let summary = "room failed: an event sent too much";
    let limits = Limits::default;
    let timer = |room: &mut stateroom_wasm_host::WasmHost| room.timer();
    let room = check_failure(limits(), &[("(;timer;)", &sends(10_001, 0))], timer, summary, &told);
    assert_eq!(room.take().len(), 10_000);
    let timers = "(loop (call $set_timer (i32.const 7)) (br 0))";
    check_failure(limits(), &[("(;timer;)", timers)], timer, summary, &told);
}

#[test]
fn an_event_may_send_as_many_bytes_as_the_limit_each_time() {
    let mut room = start(&[("(;timer;)", &sends(256, 65_536))]);
    for _ in 0..2 {
        assert_eq!(room.fire().len(), 256);
    }
}

#[test]
fn one_byte_more_than_the_limit_ends_the_room() {
    let too_much = format!(
        "{} (call $send_binary (i32.const 0) (i32.const 0) (i32.const 1))",
        sends(256, 65_536)
    );
    check_failure(
        Limits::default(),
        &[("(;timer;)", &too_much)],
        |room| room.timer(),
        "room failed: an event sent too much",
        &["more than 16777216 bytes"],
    );
}

#[test]
fn what_the_start_of_a_room_sends_is_bounded_too() {
    let engine = engine(Limits { commands_per_event: 3, ..Limits::default() });
    let send = "(call $send_message (i32.const 0) (local.get $pointer) (local.get $length))";
    let room = Room::start(&load(&engine, &[("(;initialize;)", &send.repeat(3))]));
    assert_eq!(room.take(), vec![text(Broadcast, "lobby"); 3]);
    let error =
        crate::lifecycle::start_error(&load(&engine, &[("(;initialize;)", &send.repeat(4))]));
    assert!(error.contains("an event sent too much"), "{error}");
    assert!(error.contains("more than 3 commands"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn memory_is_given_back_when_rooms_end() {
    const LIMIT: usize = 4 << 20;
    let fill = "(drop (memory.grow (i32.const 62))) \
                (memory.fill (i32.const 0) (i32.const 255) (i32.const 4194304))";
    let engine = engine(Limits { memory_bytes: LIMIT, ..Limits::default() });
    let factory = load(&engine, &[("(;timer;)", fill)]);
    let resident = || {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        statm.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4096
    };
    let before = resident();
    for _ in 0..125 {
        let mut rooms: Vec<Room> = (0..8).map(|_| Room::start(&factory)).collect();
        for room in &mut rooms {
            room.fire();
        }
    }
    // 4 GiB were written. The other tests of this process use some memory meanwhile.
    let grown = resident().saturating_sub(before);
    assert!(grown < 400 << 20, "{grown} bytes are kept");
}

#[test]
fn a_new_room_sees_nothing_of_the_one_that_had_its_memory() {
    let fill = "(memory.fill (i32.const 16) (i32.const 255) (i32.const 100000)) (global.set $touched (i32.const 1))";
    let read = "(call $set_timer (i32.or (global.get $touched) (i32.load (i32.const 65536))))";
    let engine = engine(Limits::default());
    let factory = load(
        &engine,
        &[
            ("(;items;)", "(global $touched (mut i32) (i32.const 0))"),
            ("(;connect;)", fill),
            ("(;timer;)", read),
        ],
    );
    for _ in 0..20 {
        let mut room = Room::start(&factory);
        assert_eq!(room.fire(), [Asked::Timer(0)]);
        room.host.connect(ADA);
        assert_ne!(room.fire(), [Asked::Timer(0)]);
    }
}
