//! What the pool keeps when rooms sleep: lets thousands of rooms of the chat live at once, puts them
//! to sleep, and tells what the process holds at each step. See `sleep.rs` for the chat's module.

use stateroom::{
    ClientId, MessageRecipient, Sleep, StateroomContext, StateroomService, StateroomServiceFactory,
};
use stateroom_wasm_host::{HostConfig, WasmEngine, WasmHost};
use std::{path::PathBuf, time::Instant};

const ROOMS: u32 = 4_000;

struct Silent;

impl StateroomContext for Silent {
    fn send_message(&self, _: impl Into<MessageRecipient>, _: &str) {}
    fn send_binary(&self, _: impl Into<MessageRecipient>, _: &[u8]) {}
    fn set_timer(&self, _: u32) {}
}

/// Says something in a room, so that it has been written to as rooms are.
fn use_room(room: &mut WasmHost) {
    room.connect(ClientId(1));
    room.message(ClientId(1), r#"{"type":"join","name":"Ada"}"#);
    for _ in 0..8 {
        room.message(ClientId(1), r#"{"type":"say","text":"This is what I have to say."}"#);
    }
}

fn report(step: &str, since: Instant, count: u32) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = |name: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
    };
    let each = since.elapsed() / count.max(1);
    let (anonymous, files) = (kib("RssAnon:"), kib("RssShmem:") + kib("RssFile:"));
    let tables = kib("VmPTE:");
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default().lines().count();
    println!(
        "{step:<32} {each:>10.1?} each; {anonymous:>7} KiB own, {files:>7} KiB of files, {tables:>6} KiB of page tables, {maps} mappings"
    );
}

fn main() {
    let chat = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../target/guests/wasm32-wasip1/release/chat.wasm");
    let config = HostConfig { max_rooms: Some(ROOMS), ..HostConfig::default() };
    let engine = WasmEngine::new(config).expect("the pool fits this machine");
    let factory = engine.load(chat).expect("the chat was built, see `sleep.rs`");
    report("loaded", Instant::now(), 1);
    let start = |number: u32| factory.build(&format!("room-{number}"), Silent).expect("a place");
    for round in 1..=2 {
        let now = Instant::now();
        let mut rooms: Vec<WasmHost> = (0..ROOMS).map(start).collect();
        report(&format!("round {round}: started"), now, ROOMS);
        let now = Instant::now();
        rooms.iter_mut().for_each(use_room);
        report(&format!("round {round}: used"), now, ROOMS);
        let now = Instant::now();
        let work: Vec<Sleep> = rooms.iter_mut().map(StateroomService::sleep).collect();
        report(&format!("round {round}: asleep, raw"), now, ROOMS);
        let now = Instant::now();
        for sleep in work {
            if let Sleep::Asleep(Some(compression)) = sleep {
                compression.run();
            }
        }
        report(&format!("round {round}: asleep, compressed"), now, ROOMS);
        let now = Instant::now();
        assert!(rooms.iter_mut().all(StateroomService::wake));
        report(&format!("round {round}: awake again"), now, ROOMS);
        let now = Instant::now();
        drop(rooms);
        report(&format!("round {round}: gone"), now, ROOMS);
    }
    let now = Instant::now();
    (0..ROOMS).for_each(|number| drop(start(number)));
    report("started and gone, one by one", now, ROOMS);
}
