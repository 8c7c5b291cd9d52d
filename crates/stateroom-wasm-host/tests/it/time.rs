//! A room's time is bounded whatever it does with it, and one that is busy says so.

use crate::{
    lifecycle::start_error,
    support::{ADA, Room, check_failure, config, engine, load, short, text},
};
use stateroom::StateroomService;
use stateroom_wasm_host::{HostConfig, WasmEngine};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

const TOO_LONG: &str = "room failed: an event took too long";
const RANDOM: &str =
    r#"(import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))"#;

/// Counts down for some milliseconds at least.
const COMPUTE: &str = "(local $left i32) (local.set $left (i32.const 200000000)) (loop $again \
    (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))";

#[test]
fn a_loop_for_ever_is_stopped() {
    for body in [
        "(loop (br 0))",
        // One that gives the bulk operations of the engine all the time.
        "(loop (memory.fill (i32.const 1024) (i32.const 0) (i32.const 65536)) (br 0))",
    ] {
        let begun = Instant::now();
        check_failure(
            short(20),
            &[("(;timer;)", body)],
            |room| room.timer(),
            TOO_LONG,
            &["of CPU time, of which it may take 20ms"],
        );
        // Two rooms were stopped; a machine with other work is given a lot of time.
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
}

#[test]
fn time_spent_in_many_imports_counts() {
    let body = "(loop (drop (call $random (i32.const 1024) (i32.const 65536))) (br 0))";
    check_failure(
        short(20),
        &[("(;imports;)", RANDOM), ("(;timer;)", body)],
        |room| room.timer(),
        TOO_LONG,
        &["CPU time"],
    );
}

#[test]
fn a_start_that_takes_for_ever_is_stopped() {
    let engine = engine(short(20));
    let error = start_error(&load(&engine, &[("(;initialize;)", "(loop (br 0))")]));
    assert!(error.contains("room \"lobby\" did not start: "), "{error}");
    assert!(error.contains(TOO_LONG), "{error}");
    assert_eq!(engine.live_rooms(), 0);
}

#[test]
fn an_allocator_that_takes_for_ever_is_stopped() {
    check_failure(
        short(20),
        // The room's id is passed as well, and gets through.
        &[(
            "(i32.const (;place;) 1024)",
            "(if (i32.gt_u (local.get $size) (i32.const 5)) (then (loop (br 0)))) (i32.const 1024)",
        )],
        |room| room.message(ADA, "longer than the room's id"),
        TOO_LONG,
        &["CPU time"],
    );
}

#[test]
fn each_event_has_its_own_time() {
    let engine = engine(short(500));
    let mut room = Room::start(&load(&engine, &[("(;timer;)", COMPUTE)]));
    let begun = Instant::now();
    // Many short ones take longer together than one may.
    while begun.elapsed() < Duration::from_millis(700) {
        room.fire();
    }
}

#[test]
fn a_busy_room_says_so_at_each_tick_and_a_quick_one_never() {
    let called = Arc::new(AtomicU32::new(0));
    let on_busy: Arc<dyn Fn() + Send + Sync> = {
        let called = Arc::clone(&called);
        Arc::new(move || {
            called.fetch_add(1, Relaxed);
        })
    };
    let engine =
        WasmEngine::new(HostConfig { on_busy: Some(on_busy), ..config(short(60)) }).unwrap();
    let mut room = Room::start(&load(&engine, &[("(;timer;)", "(loop (br 0))")]));
    for _ in 0..1000 {
        room.say("quick");
    }
    assert_eq!(called.load(Relaxed), 0, "quick events");
    room.host.timer();
    assert_eq!(room.host.failure().unwrap().summary, TOO_LONG);
    let called = called.load(Relaxed);
    assert!(called > 0, "a busy event");
    assert!(called <= 60, "{called} calls at ticks of 2 ms in 60 ms of CPU time");
}

#[test]
fn a_room_is_not_busy_before_the_time_that_is_set_for_it() {
    let called = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&called);
    let on_busy: Arc<dyn Fn() + Send + Sync> = Arc::new(move || {
        counted.fetch_add(1, Relaxed);
    });
    let config = HostConfig {
        on_busy: Some(on_busy),
        busy_after: Duration::from_secs(5),
        ..config(short(40))
    };
    let engine = WasmEngine::new(config).unwrap();
    let mut room = Room::start(&load(&engine, &[("(;timer;)", "(loop (br 0))")]));
    room.host.timer();
    assert!(room.host.failure().is_some());
    assert_eq!(called.load(Relaxed), 0);
}

#[test]
fn busy_rooms_on_several_threads_are_each_stopped() {
    let engine = engine(short(30));
    let looping = load(&engine, &[("(;timer;)", "(loop (br 0))")]);
    let mut quick = Room::start(&load(&engine, &[]));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut room = Room::start(&looping);
                room.host.timer();
                assert_eq!(room.host.failure().unwrap().summary, TOO_LONG);
            });
        }
        for _ in 0..100 {
            assert_eq!(quick.say("hello"), [text(ADA, "hello")]);
        }
    });
}
