//! A room's life follows from its birth and from what it hears: lived again, saved and restored
//! anywhere, or in another engine, it ends with the same bits and has sent the same.

use crate::{
    events::{Event, event, hear},
    support::{Asked, BIRTH, How, PUBLISHED, Recorder, Room, engine, guest},
};
use stateroom::{StateroomService, StateroomServiceFactory};
use stateroom_wasm_host::{HostConfig, Limits, WasmEngine, WasmHostFactory};
use std::{path::PathBuf, time::Duration};

const EVENTS: usize = 60;
const RUNS: u64 = 8;

/// What a room hears, and when.
type Life = Vec<(Duration, Event)>;

fn life(seed: u64) -> Life {
    let random = &mut fastrand::Rng::with_seed(seed);
    let (mut clients, mut last) = (Vec::new(), 0);
    let mut now = BIRTH.time;
    let mut next = || {
        now += Duration::from_nanos(random.u64(0..2_000_000_000));
        (now, event(random, &mut clients, &mut last))
    };
    (0..EVENTS).map(|_| next()).collect()
}

/// How a life ends: what was sent, and the digest of the state, if the room has not failed.
type End = (Vec<Asked>, Option<[u8; 32]>);

/// Lives a life, with an `interruption` before each event.
fn live(factory: &WasmHostFactory, life: &Life, mut interruption: impl FnMut(Room) -> Room) -> End {
    let mut room = Room::start(factory);
    for (time, event) in life {
        room = interruption(room);
        room.host.set_time(*time);
        hear(&mut room, event);
        if room.host.failure().is_some() {
            return (room.take(), None);
        }
    }
    let digest = room.host.state_digest();
    assert!(digest.is_some());
    (room.take(), digest)
}

/// An engine that differs from the usual one in all that must not matter.
fn other_engine(canonical_nans: bool) -> WasmEngine {
    let config = HostConfig {
        max_rooms: Some(2),
        limits: Limits { memory_bytes: 128 << 20, stack_bytes: 256 << 10, ..Limits::default() },
        canonical_nans,
        ..HostConfig::default()
    };
    WasmEngine::new(config).unwrap()
}

fn check(module: PathBuf, canonical_nans: bool) {
    let factory = engine(8).load(&module).unwrap();
    let elsewhere = other_engine(canonical_nans).load(&module).unwrap();
    for seed in 0..RUNS {
        let life = life(seed);
        let context = format!("{}, seed {seed}", module.display());
        let straight = live(&factory, &life, |room| room);
        assert!(!straight.0.is_empty(), "{context}");
        assert!(live(&factory, &life, |room| room) == straight, "{context}: again");
        assert!(live(&elsewhere, &life, |room| room) == straight, "{context}: elsewhere");
        let random = &mut fastrand::Rng::with_seed(seed);
        let saved = live(&factory, &life, |mut room| match random.u8(0..6) {
            0 => room.saved(&factory),
            1 => room.saved(&elsewhere),
            2 => {
                room.sleep(How::Compressed);
                room.saved(&factory)
            }
            3 => {
                room.sleep(How::Raw);
                room
            }
            _ => room,
        });
        assert!(saved == straight, "{context}: saved");
    }
}

#[test]
fn the_examples_live_the_same_life_again() {
    for name in ["chat", "whiteboard", "counter", "stopwatch", "bench_guest"] {
        check(guest(name), false);
    }
}

#[test]
fn published_modules_live_the_same_life_again() {
    let modules = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/modules");
    for name in PUBLISHED {
        check(modules.join(name), false);
    }
}

/// It does all that could tell two runs apart.
#[test]
fn a_service_full_of_chance_lives_the_same_life_again() {
    check(guest("test_guests"), true);
}

/// What proves that the digest can differ, and that the services above do use what they are given.
#[test]
fn a_clock_that_is_a_nanosecond_off_makes_another_life() {
    let factory = engine(2).load(guest("test_guests")).unwrap();
    let events = || vec![Event::Connect(stateroom::ClientId(1)), Event::Timer, Event::Timer];
    let life_at = |nanosecond| -> Life {
        let times = [nanosecond, 10, 20].map(|time| BIRTH.time + Duration::from_nanos(time));
        times.into_iter().zip(events()).collect()
    };
    let (sent, digest) = live(&factory, &life_at(5), |room| room);
    let (sent_off, digest_off) = live(&factory, &life_at(6), |room| room);
    assert_ne!(digest, digest_off);
    assert_ne!(sent, sent_off);
    assert_eq!(digest, live(&factory, &life_at(5), |room| room).1);
}

#[test]
fn another_seed_makes_another_life() {
    let factory = engine(2).load(guest("test_guests")).unwrap();
    let end = |seed| {
        let birth = stateroom::Birth { seed, ..BIRTH };
        let asked = Recorder::default();
        let mut room = factory.build_at("lobby", asked.clone(), &birth).unwrap();
        room.timer();
        (room.snapshot().unwrap().unwrap(), asked.take())
    };
    assert!(end([1; 32]) == end([1; 32]));
    let (one, other) = (end([1; 32]), end([2; 32]));
    assert!(one.0 != other.0);
    assert_ne!(one.1, other.1);
}
