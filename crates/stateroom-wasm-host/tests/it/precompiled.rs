//! Machine code loads where it is trusted and fits, and is refused with the reason elsewhere.

use crate::support::{ADA, BASE, Room, config, engine, text};
use stateroom_wasm_host::{HostConfig, Limits, LoadError, WasmEngine};

fn trusting(limits: Limits) -> WasmEngine {
    WasmEngine::new(HostConfig { trust_precompiled: true, ..config(limits) }).unwrap()
}

fn precompiled() -> Vec<u8> {
    engine(Limits::default()).precompile(BASE.as_bytes()).unwrap()
}

#[track_caller]
fn check_foreign(engine: &WasmEngine, bytes: &[u8]) {
    let error = engine.load_bytes("guest.bin", bytes).err().expect("it is refused");
    assert!(matches!(error, LoadError::ForeignPrecompiled { .. }), "{error}");
    for told in ["guest.bin", "precompile it again with this one"] {
        assert!(error.to_string().contains(told), "{told:?} in {error}");
    }
}

#[test]
fn what_is_trusted_runs_like_the_module_it_was_made_of() {
    let factory = trusting(Limits::default()).load_bytes("guest.bin", &precompiled()).unwrap();
    assert_eq!(Room::start(&factory).say("hello"), [text(ADA, "hello")]);
}

#[test]
fn what_is_not_trusted_is_refused_with_the_setting_that_would_trust_it() {
    let error = engine(Limits::default()).load_bytes("guest.bin", &precompiled()).err().unwrap();
    assert!(matches!(error, LoadError::Untrusted { .. }));
    for told in ["guest.bin is precompiled", "load the .wasm instead", "`trust_precompiled`"] {
        assert!(error.to_string().contains(told), "{error}");
    }
}

#[test]
fn what_an_engine_with_less_memory_made_runs_in_one_with_more() {
    let small = engine(Limits { memory_bytes: 1 << 20, ..Limits::default() });
    let code = small.precompile(BASE.as_bytes()).unwrap();
    trusting(Limits::default()).load_bytes("guest.bin", &code).unwrap();
}

#[test]
fn what_needs_more_than_this_engine_gives_is_refused() {
    let engine = trusting(Limits { memory_bytes: 1 << 16, ..Limits::default() });
    let error = engine.load_bytes("guest.bin", &precompiled()).err().expect("it is refused");
    assert!(matches!(error, LoadError::Memory { .. }), "{error}");
    let told = error.to_string();
    assert!(told.contains("131072") && told.contains("`memory_bytes`"), "{told}");
}

#[test]
fn what_another_kind_of_engine_made_is_refused() {
    let mut other = wasmtime::Config::new();
    other.epoch_interruption(false).memory_reservation(1 << 20);
    let other = wasmtime::Engine::new(&other).unwrap();
    let code = other.precompile_module(&wat::parse_str(BASE).unwrap()).unwrap();
    check_foreign(&trusting(Limits::default()), &code);
}

#[test]
fn what_is_cut_off_is_refused() {
    let code = precompiled();
    let engine = trusting(Limits::default());
    for length in [64, 1000, code.len() / 2, code.len() - 1] {
        let error = engine.load_bytes("guest.bin", &code[..length]).err().expect("it is refused");
        assert!(error.to_string().contains("not all of, what `precompile` makes"), "{error}");
    }
}

#[test]
fn the_interface_is_checked_in_machine_code_too() {
    let wat = BASE.replace("\"timer\"", "\"other\"");
    let code = engine(Limits::default()).precompile(wat.as_bytes()).unwrap();
    let error = trusting(Limits::default()).load_bytes("guest.bin", &code).err().unwrap();
    assert!(matches!(error, LoadError::MissingExport { .. }), "{error}");
}

#[test]
fn what_cannot_run_is_not_precompiled_either() {
    let engine = engine(Limits::default());
    for bytes in [&b"nonsense"[..], b"(component)", b"(module (memory 1) (memory 1))"] {
        let error = engine.precompile(bytes).unwrap_err();
        assert!(error.to_string().contains("the module to precompile"), "{error}");
    }
}
