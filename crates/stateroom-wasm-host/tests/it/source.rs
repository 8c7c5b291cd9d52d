//! A guest's clock and randomness follow from its birth and from what the host tells it.

use crate::support::{Asked, Recorder, Room, binary, config, engine, load};
use stateroom::{
    Birth, MemoryLimits, MessageRecipient::Broadcast, StateroomService, StateroomServiceFactory,
};
use stateroom_wasm_host::{HostConfig, Limits, WasmEngine};
use std::time::{Duration, SystemTime};

/// A second after the birth of a room is 1.7 thousand million seconds and one after 1970.
const BIRTH: Birth =
    Birth { time: Duration::from_secs(1_700_000_000), seed: [7; 32], limits: MemoryLimits::NONE };

const IMPORTS: &str = r#"
    (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))"#;

fn send(length: u32) -> String {
    format!("(call $send_binary (i32.const 0) (i32.const 2048) (i32.const {length}))")
}

/// Sends what the call `from_source` answers, and the `length` bytes that it wrote at 2048.
fn sends(from_source: &str, length: u32) -> String {
    let answer = "(call $send_binary (i32.const 0) (i32.const 2044) (i32.const 4))";
    format!("(i32.store (i32.const 2044) {from_source}) {answer} {}", send(length))
}

fn room_born(timer: &str, birth: Option<&Birth>) -> Room {
    let factory =
        load(&engine(Limits::default()), &[("(;imports;)", IMPORTS), ("(;timer;)", timer)]);
    let asked = Recorder::default();
    let host = match birth {
        Some(birth) => factory.build_at("lobby", asked.clone(), birth),
        None => factory.build("lobby", asked.clone()),
    };
    Room::of(host.unwrap(), asked)
}

fn room(timer: &str) -> Room {
    room_born(timer, Some(&BIRTH))
}

/// What a room sends that calls `from_source`: its answer, and the `length` bytes that it wrote.
#[track_caller]
fn given(room: &mut Room) -> (u8, Vec<u8>) {
    match &room.fire()[..] {
        [Asked::Binary(Broadcast, answer), Asked::Binary(Broadcast, bytes)] => {
            assert_eq!(answer[1..], [0; 3]);
            (answer[0], bytes.to_vec())
        }
        other => panic!("{other:?}"),
    }
}

const REALTIME: &str = "(call $clock (i32.const 0) (i64.const 0) (i32.const 2048))";
const MONOTONIC: &str = "(call $clock (i32.const 1) (i64.const 0) (i32.const 2048))";

#[track_caller]
fn time(room: &mut Room) -> u64 {
    let (answer, bytes) = given(room);
    assert_eq!(answer, 0);
    u64::from_le_bytes(bytes.try_into().unwrap())
}

#[test]
fn the_time_of_day_is_the_last_that_the_room_was_told() {
    let mut room = room(&sends(REALTIME, 8));
    assert_eq!(time(&mut room), 1_700_000_000_000_000_000);
    room.host.set_time(BIRTH.time + Duration::from_nanos(5));
    assert_eq!([time(&mut room), time(&mut room)], [1_700_000_000_000_000_005; 2]);
    room.host.set_time(BIRTH.time);
    assert_eq!(time(&mut room), 1_700_000_000_000_000_005, "it never goes back");
}

#[test]
fn the_monotonic_clock_starts_at_the_rooms_birth() {
    let mut room = room(&sends(MONOTONIC, 8));
    assert_eq!(time(&mut room), 0);
    room.host.set_time(BIRTH.time + Duration::from_nanos(5));
    assert_eq!([time(&mut room), time(&mut room)], [5; 2]);
}

/// As with a host that knows nothing of births.
#[test]
fn a_room_that_is_told_no_time_has_the_systems() {
    let system = || SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let before = system();
    let mut room = room_born(&sends(REALTIME, 8), None);
    let times = [before, time(&mut room), time(&mut room), system()];
    assert!(times.is_sorted(), "{times:?}");
    let mut room = room_born(&sends(MONOTONIC, 8), None);
    assert!(time(&mut room) < 60_000_000_000);
}

#[test]
fn a_sleeping_room_can_be_told_the_time() {
    let mut room = room(&sends(REALTIME, 8));
    let _ = room.host.sleep();
    assert!(!room.host.is_awake());
    room.host.set_time(BIRTH.time + Duration::from_nanos(5));
    assert_eq!(time(&mut room), 1_700_000_000_000_000_005);
}

#[test]
fn other_clocks_do_not_exist() {
    let clock = "(call $clock (i32.const 2) (i64.const 0) (i32.const 2048))";
    assert_eq!(given(&mut room(&sends(clock, 8))), (28, vec![0; 8]));
}

#[test]
fn randomness_follows_from_the_seed() {
    let timer = sends("(call $random (i32.const 2048) (i32.const 9))", 9);
    let (mut one, mut same) = (room(&timer), room(&timer));
    let mut other = room_born(&timer, Some(&Birth { seed: [8; 32], ..BIRTH }));
    let mut unborn = room_born(&timer, None);
    let mut heard = Vec::new();
    for _ in 0..5 {
        let next = given(&mut one);
        assert_eq!(given(&mut same), next);
        heard.extend([next, given(&mut other), given(&mut unborn)]);
    }
    heard.sort();
    heard.dedup();
    assert_eq!(heard.len(), 15, "none is like another");
}

/// Adds to a NaN that has bits of its own, which a processor may keep or not.
#[test]
fn nans_have_the_same_bits_where_they_are_canonical() {
    let timer = "(f64.store (i32.const 2048) (f64.add (f64.load (i32.const 2056)) (f64.const 1))) \
        (call $send_binary (i32.const 0) (i32.const 2048) (i32.const 8))";
    let nan = r#"(data (i32.const 2056) "\05\00\00\00\00\00\f8\ff")"#;
    let sent = |canonical_nans| {
        let config = HostConfig { canonical_nans, ..config(Limits::default()) };
        let engine = WasmEngine::new(config).unwrap();
        let mut room = Room::start(&load(&engine, &[("(;items;)", nan), ("(;timer;)", timer)]));
        room.fire()
    };
    let canonical = 0x7ff8_0000_0000_0000_u64.to_le_bytes();
    assert_eq!(sent(true), [binary(Broadcast, &canonical)]);
    assert_ne!(sent(false), sent(true), "this test could fail");
}

#[test]
fn more_randomness_than_anybody_needs_is_refused() {
    let random = "(call $random (i32.const 2048) (i32.const 0x100001))";
    assert_eq!(given(&mut room(&sends(random, 4))), (28, vec![0; 4]));
}
