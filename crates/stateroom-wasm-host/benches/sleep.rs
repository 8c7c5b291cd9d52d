//! What it costs a room of the chat to sleep and to wake, and to be saved and restored, piece by
//! piece.
//!
//! `CHAT_WASM` names another module to measure; the guests are built with `cargo build --release
//! --target wasm32-wasip1 -p chat -p test-guests --lib --examples --target-dir target/guests`.

use divan::{Bencher, black_box};
use stateroom::{
    ClientId, MessageRecipient, Sleep, StateroomContext, StateroomService, StateroomServiceFactory,
};
use stateroom_wasm_host::{HostConfig, WasmEngine, WasmHost, WasmHostFactory};
use std::{path::PathBuf, sync::LazyLock};

fn main() {
    println!("{}", sizes());
    divan::main();
}

static CHAT: LazyLock<WasmHostFactory> = LazyLock::new(load);

/// The chat in a pool of its own, for what leaves traces in the pool: memory that was read stays
/// mapped, and is looked at by the next room that sleeps there.
static CHAT_ALONE: LazyLock<WasmHostFactory> = LazyLock::new(load);

fn load() -> WasmHostFactory {
    let path = std::env::var_os("CHAT_WASM").map_or_else(
        || {
            PathBuf::from(env!("CARGO_MANIFEST_DIR"))
                .join("../../target/guests/wasm32-wasip1/release/chat.wasm")
        },
        PathBuf::from,
    );
    let config = HostConfig { max_rooms: Some(64), ..HostConfig::default() };
    let engine = WasmEngine::new(config).expect("the pool fits this machine");
    engine.load(path).expect("the chat was built, see the top of this file")
}

struct Silent;

impl StateroomContext for Silent {
    fn send_message(&self, _: impl Into<MessageRecipient>, _: &str) {}
    fn send_binary(&self, _: impl Into<MessageRecipient>, _: &[u8]) {}
    fn set_timer(&self, _: u32) {}
}

/// A chat in which three people have said eight things.
fn room() -> WasmHost {
    room_of(&CHAT, 8)
}

/// One in which they have said twenty.
fn longer_room() -> WasmHost {
    room_of(&CHAT, 20)
}

fn room_of(factory: &WasmHostFactory, messages: u32) -> WasmHost {
    let mut room = factory.build("lobby", Silent).expect("there is room");
    for client in [ClientId(1), ClientId(2), ClientId(3)] {
        room.connect(client);
        room.message(client, &format!(r#"{{"type":"join","name":"Person {client}"}}"#));
    }
    for number in 0..messages {
        let text = format!(r#"{{"type":"say","text":"This is what I have to say, {number}."}}"#);
        room.message(ClientId(1 + number % 3), &text);
    }
    assert_eq!(room.failure(), None);
    room
}

fn sizes() -> String {
    let mut room = room();
    let snapshot = room.snapshot().expect("it can sleep").expect("it runs");
    let compressed = snapshot.compress().expect("there is memory");
    let Sleep::Asleep(Some(compression)) = room.sleep() else { return "it stays awake".into() };
    let raw = room.footprint();
    compression.run();
    format!(
        "raw {raw} bytes, compressed {} bytes, in all {} bytes; with twenty messages saved in {} bytes",
        compressed.bytes(),
        room.footprint(),
        saved().len()
    )
}

fn saved() -> Vec<u8> {
    longer_room().save().expect("it runs").encode().expect("there is memory")
}

fn restored(state: &[u8]) -> WasmHost {
    CHAT.restore("lobby", Silent, state).expect("there is room")
}

/// A room that starts, which is what waking would have to beat.
#[divan::bench]
fn start(bencher: Bencher<'_, '_>) {
    bencher.bench_local(|| CHAT.build("lobby", Silent));
}

/// Finding what differs, as the kernel hints.
#[divan::bench]
fn snapshot(bencher: Bencher<'_, '_>) {
    let mut room = room();
    bencher.bench_local(|| room.snapshot());
}

/// Finding what differs without hints.
#[divan::bench]
fn snapshot_of_everything(bencher: Bencher<'_, '_>) {
    let mut room = room_of(&CHAT_ALONE, 8);
    bencher.bench_local(|| room.snapshot_of_everything());
}

/// All that the room's thread does when it lets a room sleep.
#[divan::bench]
fn sleep(bencher: Bencher<'_, '_>) {
    bencher.with_inputs(room).bench_local_values(|mut room| {
        let sleep = room.sleep();
        (room, sleep)
    });
}

#[divan::bench]
fn compress(bencher: Bencher<'_, '_>) {
    let snapshot = room().snapshot().expect("it can sleep").expect("it runs");
    bencher.bench_local(|| black_box(&snapshot).compress());
}

#[divan::bench]
fn decompress(bencher: Bencher<'_, '_>) {
    let snapshot = room().snapshot().expect("it can sleep").expect("it runs");
    let compressed = snapshot.compress().expect("there is memory");
    bencher.bench_local(|| black_box(&compressed).decompress());
}

#[divan::bench]
fn wake_raw(bencher: Bencher<'_, '_>) {
    let asleep = || {
        let mut room = room();
        let _ = room.sleep();
        room
    };
    bencher.with_inputs(asleep).bench_local_values(|mut room| {
        assert!(room.wake());
        room
    });
}

#[divan::bench]
fn wake_compressed(bencher: Bencher<'_, '_>) {
    let asleep = || {
        let mut room = room();
        if let Sleep::Asleep(Some(compression)) = room.sleep() {
            compression.run();
        }
        room
    };
    bencher.with_inputs(asleep).bench_local_values(|mut room| {
        assert!(room.wake());
        room
    });
}

/// All that the room's thread does when a room is saved that is awake.
#[divan::bench]
fn save_awake(bencher: Bencher<'_, '_>) {
    let mut room = longer_room();
    bencher.bench_local(|| room.save());
}

/// The same for one that sleeps, compressed.
#[divan::bench]
fn save_asleep(bencher: Bencher<'_, '_>) {
    let mut room = longer_room();
    if let Sleep::Asleep(Some(compression)) = room.sleep() {
        compression.run();
    }
    bencher.bench_local(|| room.save());
}

/// What another thread does then.
#[divan::bench]
fn encode_awake(bencher: Bencher<'_, '_>) {
    let mut room = longer_room();
    bencher
        .with_inputs(|| room.save().expect("it runs"))
        .bench_local_values(|state| state.encode());
}

/// The same for one that was compressed before.
#[divan::bench]
fn encode_asleep(bencher: Bencher<'_, '_>) {
    let mut room = longer_room();
    if let Sleep::Asleep(Some(compression)) = room.sleep() {
        compression.run();
    }
    bencher
        .with_inputs(|| room.save().expect("it runs"))
        .bench_local_values(|state| state.encode());
}

/// From bytes to a room that hears.
#[divan::bench]
fn restore(bencher: Bencher<'_, '_>) {
    let state = saved();
    bencher.bench_local(|| restored(black_box(&state)));
}

#[divan::bench]
fn state_digest(bencher: Bencher<'_, '_>) {
    let mut room = longer_room();
    bencher.bench_local(|| room.state_digest());
}

/// Telling its state as JSON and going back to what was before.
#[divan::bench]
fn hand_over(bencher: Bencher<'_, '_>) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../target/guests/wasm32-wasip1/release/examples/tally.wasm");
    let factory = CHAT.engine().load(path).expect("`test-guests` was built, as the chat");
    let mut room = factory.build("lobby", Silent).expect("there is room");
    bencher.bench_local(|| room.hand_over().expect("it has opted in").expect("it tells"));
}
