//! A small module whose parts can be replaced, and rooms that note what they are asked to send.

pub(crate) use crate::recorder::{Asked, Recorder};
use stateroom::{
    ClientId, MessageRecipient, ServiceFailure, StateroomService, StateroomServiceFactory,
};
use stateroom_wasm_host::{HostConfig, Limits, WasmEngine, WasmHost, WasmHostFactory};
use std::time::Duration;

/// A room that echoes. Its comments are where a test puts what it is about.
pub(crate) const BASE: &str = r#"(module
  (import "env" "send_message" (func $send_message (param i32 i32 i32)))
  (import "env" "send_binary" (func $send_binary (param i32 i32 i32)))
  (import "env" "set_timer" (func $set_timer (param i32)))
  (;imports;)
  (memory (export "memory") 2)
  (data (i32.const 8) "\01\00\00\00\00\00\00\00")
  (global (export "JAMSOCKET_API_VERSION") i32 (i32.const 8))
  (global (export "JAMSOCKET_API_PROTOCOL") i32 (i32.const 12))
  (;items;)
  (func (export "initialize") (param $pointer i32) (param $length i32) (;initialize;))
  (func (export "connect") (param $client i32) (;connect;))
  (func (export "disconnect") (param $client i32))
  (func (export "message") (param $client i32) (param $pointer i32) (param $length i32)
    (call $send_message (local.get $client) (local.get $pointer) (local.get $length)))
  (func (export "binary") (param $client i32) (param $pointer i32) (param $length i32)
    (call $send_binary (local.get $client) (local.get $pointer) (local.get $length)))
  (func (export "timer") (;timer;))
  (func (export "jam_malloc") (param $size i32) (result i32) (i32.const (;place;) 1024))
  (func (export "jam_free") (param i32 i32)))"#;

/// The first client.
pub(crate) const ADA: ClientId = ClientId(1);

/// `text` with each first of a pair replaced by the second. Each has to be there exactly once.
#[track_caller]
pub(crate) fn edited(text: &str, edits: &[(&str, &str)]) -> String {
    edits.iter().fold(text.to_owned(), |text, (old, new)| {
        assert_eq!(text.matches(old).count(), 1, "{old} in {text}");
        text.replace(old, new)
    })
}

/// The base module, changed.
#[track_caller]
pub(crate) fn module(edits: &[(&str, &str)]) -> String {
    edited(BASE, edits)
}

/// A running room and what it asked for.
pub(crate) struct Room {
    pub(crate) host: WasmHost,
    asked: Recorder,
}

impl Room {
    #[track_caller]
    pub(crate) fn start(factory: &WasmHostFactory) -> Room {
        let asked = Recorder::default();
        let host = factory.build("lobby", asked.clone()).unwrap();
        Room { host, asked }
    }

    pub(crate) fn of(host: WasmHost, asked: Recorder) -> Room {
        Room { host, asked }
    }

    /// What the room asked for since the last call.
    pub(crate) fn take(&self) -> Vec<Asked> {
        self.asked.take()
    }

    /// Lets the room hear a text of Ada's, and gives what it asked for.
    #[track_caller]
    pub(crate) fn say(&mut self, text: &str) -> Vec<Asked> {
        self.host.message(ADA, text);
        assert_eq!(self.host.failure(), None);
        self.take()
    }

    /// Lets the timer fire, and gives what the room asked for.
    #[track_caller]
    pub(crate) fn fire(&mut self) -> Vec<Asked> {
        self.host.timer();
        assert_eq!(self.host.failure(), None);
        self.take()
    }
}

pub(crate) fn text(recipient: impl Into<MessageRecipient>, text: &str) -> Asked {
    Asked::Text(recipient.into(), text.into())
}

pub(crate) fn binary(recipient: impl Into<MessageRecipient>, bytes: &[u8]) -> Asked {
    Asked::Binary(recipient.into(), bytes.into())
}

/// A configuration for a test: few rooms, since each takes 4 GiB of address space.
pub(crate) fn config(limits: Limits) -> HostConfig {
    HostConfig { limits, max_rooms: Some(8), ..HostConfig::default() }
}

pub(crate) fn engine(limits: Limits) -> WasmEngine {
    WasmEngine::new(config(limits)).unwrap()
}

/// The default limits, with an event's time short enough for a test.
pub(crate) fn short(milliseconds: u64) -> Limits {
    Limits { cpu_time_per_event: Duration::from_millis(milliseconds), ..Limits::default() }
}

/// The base module, changed and loaded.
#[track_caller]
pub(crate) fn load(engine: &WasmEngine, edits: &[(&str, &str)]) -> WasmHostFactory {
    engine.load_bytes("guest.wasm", module(edits).as_bytes()).unwrap()
}

/// A room of the base module, changed, with the default limits.
#[track_caller]
pub(crate) fn start(edits: &[(&str, &str)]) -> Room {
    Room::start(&load(&engine(Limits::default()), edits))
}

/// Lets a room of the base module, changed, hear an event that it cannot survive, and asserts that
/// its failure tells `told`, that it hears nothing more, and that the other rooms go on.
#[track_caller]
pub(crate) fn check_failure(
    limits: Limits,
    edits: &[(&str, &str)],
    event: impl Fn(&mut WasmHost),
    summary: &str,
    told: &[&str],
) -> Room {
    let engine = engine(limits);
    let mut bystander = Room::start(&load(&engine, &[]));
    let factory = load(&engine, edits);
    let mut room = Room::start(&factory);
    event(&mut room.host);
    let failure = room.host.failure().expect("the room fails").clone();
    check_told(&failure, summary, told);
    let asked = room.take();
    event(&mut room.host);
    assert_eq!(room.take(), [], "a room that failed hears nothing");
    asked.into_iter().for_each(|asked| room.asked.note(asked));
    assert_eq!(bystander.say("still here"), [text(ADA, "still here")]);
    assert_eq!(engine.live_rooms(), 1, "its place is given back");
    let mut fresh = Room::start(&factory);
    event(&mut fresh.host);
    assert!(fresh.host.failure().is_some(), "a fresh room does the same");
    room
}

#[track_caller]
pub(crate) fn check_told(failure: &ServiceFailure, summary: &str, told: &[&str]) {
    assert_eq!(failure.summary, summary, "{failure}");
    assert!(failure.summary.len() <= 123, "a close frame has space for 123 bytes");
    for told in told {
        assert!(failure.detail.contains(told), "{told:?} in {:?}", failure.detail);
    }
}
