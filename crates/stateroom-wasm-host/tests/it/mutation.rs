//! Damaged modules and random bytes are refused or run within the limits; they never panic the host.

use crate::support::{ADA, BASE, Recorder, short};
use stateroom::{StateroomService, StateroomServiceFactory};
use stateroom_wasm_host::{HostConfig, Limits, WasmEngine};
use std::time::{Duration, Instant};

/// Numbers that look random and are the same each time (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.next() as u8
    }
}

/// Loads `bytes` and, should they be a module, lets a room of it hear an event of each kind.
fn run(engine: &WasmEngine, bytes: &[u8]) -> bool {
    let factory = match engine.load_bytes("guest.wasm", bytes) {
        Ok(factory) => factory,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return false;
        }
    };
    let Ok(mut room) = factory.build("lobby", Recorder::default()) else { return true };
    room.connect(ADA);
    room.message(ADA, "hello");
    room.binary(ADA, &[0; 300]);
    room.timer();
    room.disconnect(ADA);
    true
}

/// Runs what `make` makes until there were `count` or the time is up; gives how many did load.
fn run_many(count: u32, mut make: impl FnMut(&mut Numbers) -> Vec<u8>) -> u32 {
    let limits = Limits { memory_bytes: 4 << 20, ..short(10) };
    let config = HostConfig { limits, max_rooms: Some(2), ..HostConfig::default() };
    let engine = WasmEngine::new(config).unwrap();
    let mut numbers = Numbers(7);
    let begun = Instant::now();
    let mut loaded = 0;
    for _ in 0..count {
        let bytes = make(&mut numbers);
        loaded += u32::from(run(&engine, &bytes));
        if begun.elapsed() > Duration::from_secs(8) {
            break;
        }
    }
    assert_eq!(engine.live_rooms(), 0);
    assert!(run(&engine, BASE.as_bytes()), "the engine is as good as before");
    loaded
}

fn damage(mut bytes: Vec<u8>, numbers: &mut Numbers) -> Vec<u8> {
    for _ in 0..=numbers.below(3) {
        let at = numbers.below(bytes.len());
        match numbers.below(4) {
            0 => bytes[at] = numbers.byte(),
            1 => bytes[at] ^= 1 << numbers.below(8),
            2 => bytes.insert(at, numbers.byte()),
            _ => drop(bytes.remove(at)),
        }
    }
    bytes
}

#[test]
fn random_bytes_are_refused() {
    let loaded = run_many(2_000, |numbers| {
        let length = numbers.below(200);
        let mut bytes: Vec<u8> = (0..length).map(|_| numbers.byte()).collect();
        // Half of them begin as a module does.
        if numbers.below(2) == 0 {
            bytes.splice(0..0, *b"\0asm\x01\0\0\0");
        }
        bytes
    });
    assert_eq!(loaded, 0);
}

#[test]
fn damaged_modules_are_refused_or_run() {
    let binary = wat::parse_str(BASE).unwrap();
    let loaded = run_many(1_000, |numbers| damage(binary.clone(), numbers));
    assert!(loaded > 0, "some should be harmless");
}

#[test]
fn damaged_text_is_refused_or_runs() {
    let loaded = run_many(500, |numbers| damage(BASE.as_bytes().to_vec(), numbers));
    assert!(loaded > 0, "some should be harmless");
}

#[test]
fn deeply_nested_text_is_refused() {
    for nested in ["(", "(module (func ", "(module (func (block ", "(;"] {
        let text = format!("{}{}", nested, "(block ".repeat(100_000));
        assert_eq!(run_many(1, |_| text.clone().into_bytes()), 0);
        assert_eq!(run_many(1, |_| nested.repeat(100_000).into_bytes()), 0);
    }
}
