//! Services that are compiled from the present crates run in the host, within its limits.

use crate::support::{ADA, Asked, Room, check_told, engine, short, text};
use stateroom::StateroomService;
use stateroom_wasm_host::Limits;
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

/// Where the compiled guests are.
static GUESTS: LazyLock<PathBuf> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = root.join("target/guests");
    let status = Command::new(env!("CARGO"))
        .current_dir(&root)
        .args(["build", "--quiet", "--release", "-p", "chat", "-p", "bench-guest"])
        .args(["--target", "wasm32-wasip1", "--target-dir"])
        .arg(&target)
        .status()
        .unwrap();
    assert!(status.success(), "cargo build: {status}");
    target.join("wasm32-wasip1/release")
});

#[track_caller]
fn start(name: &str, limits: Limits) -> Room {
    Room::start(&engine(limits).load(GUESTS.join(name)).unwrap())
}

#[test]
fn a_chat_speaks() {
    let mut room = start("chat.wasm", Limits::default());
    room.host.connect(ADA);
    let welcome = r#"{"type":"welcome","you":1,"people":[],"history":[]}"#;
    assert_eq!(room.take(), [text(ADA, welcome)]);
    let [Asked::Text(_, refused)] = &room.say("nonsense")[..] else { panic!("one text") };
    assert!(refused.contains("error"), "{refused}");
}

#[test]
fn messages_of_every_size_are_echoed() {
    let mut room = start("bench_guest.wasm", Limits::default());
    for length in [0, 1, 100, 1024, 1025, 65_535, 65_536, 65_537, 300_000, 4 << 20, 7] {
        let said = "x".repeat(length);
        assert_eq!(room.say(&said), [text(ADA, &said)], "{length}");
    }
}

#[test]
fn a_service_that_computes_for_ever_is_stopped() {
    let mut room = start("bench_guest.wasm", short(20));
    room.host.message(ADA, "spin");
    let failure = room.host.failure().unwrap();
    check_told(
        failure,
        "room failed: an event took too long",
        &[
            "CPU time",
            "in <",
            "StateroomService>::message < ",
            " < stateroom_wasm::boundary::message",
        ],
    );
}

#[test]
fn a_service_without_memory_for_a_message_is_out_of_memory() {
    let limits = Limits { memory_bytes: 2 << 20, ..Limits::default() };
    let mut room = start("bench_guest.wasm", limits);
    assert_eq!(room.say("hello"), [text(ADA, "hello")]);
    room.host.message(ADA, &"x".repeat(4 << 20));
    let told = ["memory allocation of 4194304 bytes failed"];
    check_told(room.host.failure().unwrap(), "room failed: out of memory", &told);
}
