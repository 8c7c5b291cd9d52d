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
    engine_with(true)
}

fn engine_with(canonical_nans: bool) -> WasmEngine {
    let config = HostConfig {
        max_rooms: Some(1000),
        trust_precompiled: true,
        canonical_nans,
        ..HostConfig::default()
    };
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

/// What a room does with JSON: a name is joined again, and everyone hears of it. With canonical
/// NaNs and without.
#[divan::bench(args = [true, false], sample_size = 1000)]
fn chat_join(bencher: Bencher<'_, '_>, canonical_nans: bool) {
    let mut room = room(&engine_with(canonical_nans).load_bytes("chat", &module("chat")).unwrap());
    room.connect(ADA);
    bencher.bench_local(|| room.message(ADA, black_box(r#"{"type":"join","name":"Ada"}"#)));
    assert!(room.failure().is_none());
}

/// What canonical NaNs cost a room that does nothing but compute with floats: 1,000 bodies move
/// through a field of force.
#[divan::bench(args = [true, false])]
fn move_1000_bodies(bencher: Bencher<'_, '_>, canonical_nans: bool) {
    let factory = engine_with(canonical_nans).load_bytes("bodies", BODIES.as_bytes()).unwrap();
    let mut room = room(&factory);
    bencher.bench_local(|| room.timer());
    assert!(room.failure().is_none());
}

/// Each body is a position and a velocity of two numbers each, from address 4096 on.
const BODIES: &str = r#"(module
  (memory (export "memory") 2) (data (i32.const 8) "\01")
  (global (export "JAMSOCKET_API_VERSION") i32 (i32.const 8))
  (global (export "JAMSOCKET_API_PROTOCOL") i32 (i32.const 12))
  (func (export "jam_malloc") (param i32) (result i32) (i32.const 16))
  (func (export "jam_free") (param i32 i32))
  (func (export "connect") (param i32)) (func (export "disconnect") (param i32))
  (func (export "message") (param i32 i32 i32)) (func (export "binary") (param i32 i32 i32))
  (func (export "initialize") (param i32 i32) (local $at i32)
    (loop $next
      (f64.store offset=4096 (local.get $at)
        (f64.div (f64.convert_i32_u (local.get $at)) (f64.const 7)))
      (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8)))
        (i32.const 32000)))))
  (func (export "timer") (local $at i32) (local $x f64) (local $y f64) (local $pull f64)
    (loop $next
      (local.set $x (f64.load offset=4096 (local.get $at)))
      (local.set $y (f64.load offset=4104 (local.get $at)))
      (local.set $pull (f64.div (f64.const -0.01) (f64.sqrt (f64.add (f64.const 1)
        (f64.add (f64.mul (local.get $x) (local.get $x))
          (f64.mul (local.get $y) (local.get $y)))))))
      (f64.store offset=4112 (local.get $at)
        (f64.mul (f64.const 0.999) (f64.add (f64.load offset=4112 (local.get $at))
          (f64.mul (local.get $x) (local.get $pull)))))
      (f64.store offset=4120 (local.get $at)
        (f64.mul (f64.const 0.999) (f64.add (f64.load offset=4120 (local.get $at))
          (f64.mul (local.get $y) (local.get $pull)))))
      (f64.store offset=4096 (local.get $at)
        (f64.add (local.get $x) (f64.load offset=4112 (local.get $at))))
      (f64.store offset=4104 (local.get $at)
        (f64.add (local.get $y) (f64.load offset=4120 (local.get $at))))
      (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 32)))
        (i32.const 32000))))))"#;

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
