//! Services as people write them: rooms that sleep anywhere between two events answer as rooms that
//! do not, and end with the same bits.

use crate::{
    events::{event, hear},
    support::{How, PUBLISHED, Room, engine, guest},
};
use stateroom::{ClientId, StateroomService};
use stateroom_wasm_host::WasmEngine;
use std::path::{Path, PathBuf};

/// Events of one room.
const EVENTS: usize = 60;

/// Runs of each module, with a seed each.
const RUNS: u64 = 12;

/// One room that stays awake and one that sleeps now and then hear the same.
fn check(engine: &WasmEngine, module: &Path) {
    let factory = engine.load(module).unwrap();
    factory.can_sleep().unwrap();
    for seed in 0..RUNS {
        let random = &mut fastrand::Rng::with_seed(seed);
        let (mut clients, mut last) = (Vec::new(), 0);
        let (mut awake, mut sleeper) = (Room::start(&factory), Room::start(&factory));
        // Another room's leavings lie in the slots that the sleeper wakes in.
        let mut neighbour = Room::start(&factory);
        for number in 0..EVENTS {
            let event = event(random, &mut clients, &mut last);
            match random.u8(0..3) {
                0 => sleeper.sleep(How::Raw),
                1 => sleeper.sleep(How::Compressed),
                _ => {}
            }
            if random.bool() {
                neighbour = Room::start(&factory);
                neighbour.host.message(ClientId(1), r#"{"type":"join","name":"neighbour"}"#);
            }
            hear(&mut awake, &event);
            hear(&mut sleeper, &event);
            let context =
                || format!("{}, seed {seed}, event {number}: {event:?}", module.display());
            assert_eq!(sleeper.host.failure(), awake.host.failure(), "{}", context());
            assert_eq!(sleeper.take(), awake.take(), "{}", context());
            if awake.host.failure().is_some() {
                break;
            }
            if number % 8 == 0 || number + 1 == EVENTS {
                assert!(sleeper.snapshot() == awake.snapshot(), "{}", context());
            }
        }
        drop(neighbour);
    }
}

#[test]
fn the_examples_sleep_and_wake_unchanged() {
    let engine = engine(8);
    for name in ["chat", "whiteboard", "counter", "bench_guest"] {
        check(&engine, &guest(name));
    }
}

#[test]
fn published_modules_sleep_and_wake_unchanged() {
    let engine = engine(8);
    let modules = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/modules");
    for name in PUBLISHED {
        check(&engine, &modules.join(name));
    }
}
