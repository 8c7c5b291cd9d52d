//! Services as people write them: rooms that sleep anywhere between two events answer as rooms that
//! do not, and end with the same bits.

use crate::support::{How, Room, engine, guest};
use stateroom::{ClientId, StateroomService};
use stateroom_wasm_host::WasmEngine;
use std::path::{Path, PathBuf};

/// Events of one room.
const EVENTS: usize = 60;

/// Runs of each module, with a seed each.
const RUNS: u64 = 12;

/// One event, chosen at random but so that it means something to the examples.
fn event(random: &mut fastrand::Rng, clients: &mut Vec<ClientId>, last: &mut u32) -> Event {
    let text = |random: &mut fastrand::Rng| {
        let words: String = (0..random.usize(0..300)).map(|_| random.alphanumeric()).collect();
        match random.u8(0..8) {
            0 => format!(r#"{{"type":"join","name":"{}"}}"#, &words[..words.len().min(20)]),
            1..3 => format!(r#"{{"type":"say","text":"{words}"}}"#),
            3 => "increment".to_owned(),
            4 => format!("all:{words}"),
            5 => "timer:5".to_owned(),
            // More than a guest lends at once.
            6 if random.u8(0..4) == 0 => words.repeat(400),
            _ => words,
        }
    };
    match random.u8(0..10) {
        0..2 => {
            *last += 1;
            clients.push(ClientId(*last));
            Event::Connect(ClientId(*last))
        }
        2 if !clients.is_empty() => {
            Event::Disconnect(clients.swap_remove(random.usize(..clients.len())))
        }
        3 => Event::Timer,
        kind => {
            let client = random.choice(clients.iter()).copied().unwrap_or(ClientId(1));
            if kind < 7 {
                Event::Text(client, text(random))
            } else {
                let mut bytes: Vec<u8> =
                    (0..random.usize(0..60) * 4 + 1).map(|_| random.u8(..)).collect();
                bytes[0] %= 4;
                Event::Binary(client, bytes)
            }
        }
    }
}

#[derive(Debug)]
enum Event {
    Connect(ClientId),
    Disconnect(ClientId),
    Text(ClientId, String),
    Binary(ClientId, Vec<u8>),
    Timer,
}

fn hear(room: &mut Room, event: &Event) {
    match event {
        Event::Connect(client) => room.host.connect(*client),
        Event::Disconnect(client) => room.host.disconnect(*client),
        Event::Text(client, text) => room.host.message(*client, text),
        Event::Binary(client, bytes) => room.host.binary(*client, bytes),
        Event::Timer => room.host.timer(),
    }
}

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
    for name in [
        "published_0_2.wasm",
        "published_0_2_null_malloc.wasm",
        "published_0_4.wasm",
        "published_0_4_null_malloc.wasm",
    ] {
        check(&engine, &modules.join(name));
    }
}
