//! What it costs to compile and load a module, to start a room of it, and to call one.
//!
//! `cargo bench -p stateroom-wasm-host`

use divan::{Bencher, black_box};
use stateroom::{
    ClientId, MessageRecipient, StateroomContext, StateroomService, StateroomServiceFactory,
};
use stateroom_wasm_host::{HostConfig, WasmEngine, WasmHost, WasmHostFactory};
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

const ADA: ClientId = ClientId(1);

/// Where the repository is.
static ROOT: LazyLock<PathBuf> =
    LazyLock::new(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));

/// The module of one of the workspace's services.
fn workspace_module(package: &str) -> Vec<u8> {
    let target = ROOT.join("target/guests");
    let status = Command::new(env!("CARGO"))
        .current_dir(&*ROOT)
        .args(["build", "--quiet", "--release", "--package", package])
        .args(["--target", "wasm32-wasip1", "--target-dir"])
        .arg(&target)
        .status()
        .unwrap();
    assert!(status.success(), "cargo build: {status}");
    let file = format!("wasm32-wasip1/release/{}.wasm", package.replace('-', "_"));
    std::fs::read(target.join(file)).unwrap()
}

/// The services that are measured: two of the present generation, which lend a buffer, and those of
/// the published ones, which allocate for each message.
const MODULES: [&str; 4] = ["bench-guest", "chat", "published_0_2", "published_0_4"];

/// Those that echo a message.
const ECHOES: [&str; 3] = ["bench-guest", "published_0_2", "published_0_4"];

fn module(name: &str) -> Vec<u8> {
    if name.starts_with("published") {
        let path = format!("crates/stateroom-wasm-host/tests/modules/{name}.wasm");
        return std::fs::read(ROOT.join(path)).unwrap();
    }
    workspace_module(name)
}

/// A context that does nothing, so that the host's own work is measured.
struct Nowhere;

impl StateroomContext for Nowhere {
    fn send_message(&self, _: impl Into<MessageRecipient>, message: &str) {
        black_box(message);
    }

    fn send_binary(&self, _: impl Into<MessageRecipient>, message: &[u8]) {
        black_box(message);
    }

    fn set_timer(&self, ms_delay: u32) {
        black_box(ms_delay);
    }
}

fn engine() -> WasmEngine {
    let config =
        HostConfig { max_rooms: Some(1000), trust_precompiled: true, ..HostConfig::default() };
    WasmEngine::new(config).unwrap()
}

fn factory(name: &str) -> WasmHostFactory {
    engine().load_bytes(name, &module(name)).unwrap()
}

fn room(factory: &WasmHostFactory) -> WasmHost {
    factory.build("lobby", Nowhere).unwrap()
}

/// Starting a room and ending it, one at a time, so that its slot is warm.
#[divan::bench(args = MODULES, sample_size = 100)]
fn start_and_end(bencher: Bencher<'_, '_>, name: &str) {
    let factory = factory(name);
    bencher.bench_local(|| drop(room(&factory)));
}

/// Starting a room. The rooms of one sample live together, and their end is not measured.
#[divan::bench(args = MODULES, sample_size = 100)]
fn start(bencher: Bencher<'_, '_>, name: &str) {
    let factory = factory(name);
    bencher.bench_local(|| room(&factory));
}

/// An event without a payload, to a service that does nothing about it.
#[divan::bench(sample_size = 1000)]
fn call_timer(bencher: Bencher<'_, '_>) {
    let mut room = room(&factory("bench-guest"));
    bencher.bench_local(|| room.timer());
    assert!(room.failure().is_none());
}

/// A text of 100 bytes that is echoed: the call, and its call back.
#[divan::bench(args = ECHOES, sample_size = 1000)]
fn echo_100_bytes(bencher: Bencher<'_, '_>, name: &str) {
    let mut room = room(&factory(name));
    let text = "x".repeat(100);
    bencher.bench_local(|| room.message(ADA, black_box(&text)));
    assert!(room.failure().is_none());
}

/// What a room does with JSON: a name is joined again, and everyone hears of it.
#[divan::bench(sample_size = 1000)]
fn chat_join(bencher: Bencher<'_, '_>) {
    let mut room = room(&factory("chat"));
    room.connect(ADA);
    bencher.bench_local(|| room.message(ADA, black_box(r#"{"type":"join","name":"Ada"}"#)));
    assert!(room.failure().is_none());
}

/// Checking, compiling and trying out a module.
#[divan::bench(args = MODULES, sample_count = 10, sample_size = 1)]
fn compile(bencher: Bencher<'_, '_>, name: &str) {
    let (engine, module) = (engine(), module(name));
    bencher.bench_local(|| engine.load_bytes(name, &module).unwrap());
}

/// The same with what was compiled before.
#[divan::bench(args = MODULES, sample_size = 10)]
fn load_precompiled(bencher: Bencher<'_, '_>, name: &str) {
    let engine = engine();
    let code = engine.precompile(&module(name)).unwrap();
    bencher.bench_local(|| engine.load_bytes(name, &code).unwrap());
}

fn main() {
    divan::main();
}
