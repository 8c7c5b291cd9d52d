//! Rooms whose clock and randomness are the same in every run, and which note what they ask for.

pub(crate) use crate::recorder::{Asked, Recorder};
use stateroom::{Birth, MemoryLimits, Sleep, StateroomService, StateroomServiceFactory};
use stateroom_wasm_host::{HostConfig, Snapshot, WasmEngine, WasmHost, WasmHostFactory};
use std::{path::PathBuf, process::Command, sync::OnceLock, time::Duration};

/// How every room here is born.
pub(crate) const BIRTH: Birth =
    Birth { time: Duration::from_secs(1_700_000_000), seed: [7; 32], limits: MemoryLimits::NONE };

/// The least a module needs, in WebAssembly's text form, around what a test is about.
pub(crate) fn module(imports: &str, items: &str) -> String {
    format!(
        r#"(module
        (import "env" "send_message" (func $send_message (param i32 i32 i32)))
        (import "env" "send_binary" (func $send (param i32 i32 i32)))
        {imports}
        (memory (export "memory") 2 40)
        (data (i32.const 8) "\01\00\00\00\00\00\00\00")
        (global (export "JAMSOCKET_API_VERSION") i32 (i32.const 8))
        (global (export "JAMSOCKET_API_PROTOCOL") i32 (i32.const 12))
        (func (export "jam_malloc") (param i32) (result i32) (i32.const 1024))
        (func (export "jam_free") (param i32 i32))
        (func (export "initialize") (param i32 i32))
        (func (export "connect") (param i32))
        (func (export "disconnect") (param i32))
        (func (export "message") (param i32 i32 i32))
        {items})"#
    )
}

/// The functions that a module has besides those of [`module`].
pub(crate) const NO_TIMER: &str = r#"(func (export "timer"))"#;
pub(crate) const NO_BINARY: &str = r#"(func (export "binary") (param i32 i32 i32))"#;

pub(crate) fn engine(max_rooms: u32) -> WasmEngine {
    let config = HostConfig { max_rooms: Some(max_rooms), ..HostConfig::default() };
    WasmEngine::new(config).unwrap()
}

/// A running room and what it asked for.
pub(crate) struct Room {
    pub(crate) host: WasmHost,
    asked: Recorder,
}

/// How a room sleeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    Raw,
    Compressed,
}

impl Room {
    pub(crate) fn start(factory: &WasmHostFactory) -> Room {
        let asked = Recorder::default();
        let host = factory.build_at("lobby", asked.clone(), &BIRTH).unwrap();
        Room { host, asked }
    }

    /// What the room asked for since the last call.
    pub(crate) fn take(&self) -> Vec<Asked> {
        self.asked.take()
    }

    #[track_caller]
    pub(crate) fn sleep(&mut self, how: How) {
        let Sleep::Asleep(Some(compression)) = self.host.sleep() else {
            panic!("the room does not sleep");
        };
        assert!(!self.host.is_awake());
        if how == How::Compressed {
            compression.run();
        }
    }

    /// The room's state as bytes.
    #[track_caller]
    pub(crate) fn bytes(&mut self) -> Vec<u8> {
        self.host.save().unwrap().encode().unwrap()
    }

    /// A room of `factory` that was brought back from this one's saved state.
    #[track_caller]
    pub(crate) fn saved(mut self, factory: &WasmHostFactory) -> Room {
        let bytes = self.bytes();
        let Room { host, asked } = self;
        drop(host);
        let host = factory.restore("lobby", asked.clone(), &bytes).unwrap();
        Room { host, asked }
    }

    /// The state as the kernel's hints show it, which has to be the one that comparing everything
    /// shows.
    #[track_caller]
    pub(crate) fn snapshot(&mut self) -> Snapshot {
        let snapshot = self.host.snapshot().unwrap().unwrap();
        let everything = self.host.snapshot_of_everything().unwrap().unwrap();
        assert!(snapshot == everything, "the kernel's hints miss something");
        snapshot
    }
}

/// The modules of the published generations.
pub(crate) const PUBLISHED: [&str; 4] = [
    "published_0_2.wasm",
    "published_0_2_null_malloc.wasm",
    "published_0_4.wasm",
    "published_0_4_null_malloc.wasm",
];

/// A module of one of the examples, or of `tests/guests`, compiled; those of examples of a crate are
/// in the folder `examples`.
pub(crate) fn guest(name: &str) -> PathBuf {
    static GUESTS: OnceLock<PathBuf> = OnceLock::new();
    let folder = GUESTS.get_or_init(|| {
        let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
        let target = workspace.join("target/guests");
        let built = Command::new(env!("CARGO"))
            .args([
                "build",
                "--quiet",
                "--release",
                "--target",
                "wasm32-wasip1",
                "--lib",
                "--examples",
            ])
            .args(["-p", "chat", "-p", "whiteboard", "-p", "counter", "-p", "stopwatch"])
            .args(["-p", "bench-guest", "-p", "test-guests"])
            .arg("--target-dir")
            .arg(&target)
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .current_dir(&workspace)
            .status()
            .unwrap();
        assert!(built.success());
        target.join("wasm32-wasip1/release")
    });
    folder.join(format!("{name}.wasm"))
}
