//! A guest's clock and randomness are those that the host gives it.

use crate::support::{Room, binary, config, load};
use stateroom::MessageRecipient::Broadcast;
use stateroom_wasm_host::{GuestSource, HostConfig, Limits, SystemSource, WasmEngine};
use std::{io, sync::Arc, time::Duration};

/// Counts up, and has randomness only for small wishes.
struct Counting(u8);

impl GuestSource for Counting {
    fn wall_clock(&mut self) -> Duration {
        self.0 += 1;
        Duration::from_nanos(1_000_000_000_000_000_000 + u64::from(self.0))
    }

    fn monotonic_clock(&mut self) -> Duration {
        self.0 += 1;
        Duration::from_nanos(u64::from(self.0))
    }

    fn random(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        if bytes.len() > 100 {
            return Err(io::Error::other("no more"));
        }
        for byte in bytes {
            self.0 += 1;
            *byte = self.0;
        }
        Ok(())
    }
}

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

fn room(timer: &str) -> Room {
    let source = Arc::new(|room_id: &str| -> Box<dyn GuestSource> {
        // A trial is no room, and its source may be any.
        if room_id == "lobby" { Box::new(Counting(0)) } else { Box::new(SystemSource::new()) }
    });
    let engine = WasmEngine::new(HostConfig { source, ..config(Limits::default()) }).unwrap();
    Room::start(&load(&engine, &[("(;imports;)", IMPORTS), ("(;timer;)", timer)]))
}

/// Asserts what a room gets from its source, each time that its timer fires.
#[track_caller]
fn check(from_source: &str, answer: u8, given: &[&[u8]]) {
    let length = u32::try_from(given[0].len()).unwrap();
    let mut room = room(&sends(from_source, length));
    for given in given {
        let answer = binary(Broadcast, &[answer, 0, 0, 0]);
        assert_eq!(room.fire(), [answer, binary(Broadcast, given)]);
    }
}

#[test]
fn the_time_of_day_is_the_sources() {
    let clock = "(call $clock (i32.const 0) (i64.const 0) (i32.const 2048))";
    let time = |count: u64| (1_000_000_000_000_000_000 + count).to_le_bytes();
    check(clock, 0, &[&time(1), &time(2)]);
}

#[test]
fn the_monotonic_time_is_the_sources() {
    let clock = "(call $clock (i32.const 1) (i64.const 0) (i32.const 2048))";
    check(clock, 0, &[&1_u64.to_le_bytes(), &2_u64.to_le_bytes()]);
}

#[test]
fn other_clocks_do_not_exist() {
    let clock = "(call $clock (i32.const 2) (i64.const 0) (i32.const 2048))";
    check(clock, 28, &[&[0; 8]]);
}

#[test]
fn randomness_is_the_sources() {
    check("(call $random (i32.const 2048) (i32.const 3))", 0, &[&[1, 2, 3], &[4, 5, 6]]);
}

#[test]
fn a_source_without_randomness_is_an_error_to_the_guest() {
    check("(call $random (i32.const 2048) (i32.const 101))", 29, &[&[0; 4]]);
}

#[test]
fn two_rooms_with_the_same_source_live_the_same_life() {
    let timer = sends("(call $random (i32.const 2048) (i32.const 9))", 9);
    let (mut one, mut other) = (room(&timer), room(&timer));
    for _ in 0..5 {
        assert_eq!(one.fire(), other.fire());
    }
}

#[test]
fn the_systems_source_gives_time_and_randomness() {
    let mut source = SystemSource::new();
    assert!(source.wall_clock() > Duration::from_secs(1_700_000_000));
    assert!(source.monotonic_clock() < Duration::from_secs(1_000));
    assert!(source.monotonic_clock() <= source.monotonic_clock());
    let mut bytes = [[0; 16]; 2];
    for bytes in &mut bytes {
        source.random(bytes).unwrap();
    }
    assert_ne!(bytes[0], bytes[1]);
}
