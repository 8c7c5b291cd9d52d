//! Whatever is wrong with a module is found when it is loaded, and the error names it and the fix.

use crate::support::{BASE, config, engine, module, short};
use stateroom_wasm_host::{Limits, LoadError, WasmEngine, WasmHostFactory};

/// Asserts that the module is refused with an error that names it and tells all of `told`.
#[track_caller]
pub(crate) fn check_refused(bytes: impl AsRef<[u8]>, told: &[&str]) -> LoadError {
    // Two rooms, so that a trial that kept its slot would be noticed.
    let engine = WasmEngine::new(stateroom_wasm_host::HostConfig {
        max_rooms: Some(2),
        ..config(short(50))
    })
    .unwrap();
    let mut error = None;
    for _ in 0..4 {
        let found = engine.load_bytes("guest.wasm", bytes.as_ref());
        error = Some(found.err().expect("the module is refused"));
    }
    let error = error.unwrap();
    for told in ["guest.wasm"].iter().chain(told) {
        assert!(error.to_string().contains(told), "{told:?} in {:?}", error.to_string());
    }
    engine.load_bytes("good.wasm", BASE.as_bytes()).unwrap();
    error
}

/// [`check_refused`] for the base module, changed.
#[track_caller]
pub(crate) fn check_edited(edits: &[(&str, &str)], told: &[&str]) -> LoadError {
    check_refused(module(edits), told)
}

/// The binary form of the base module.
pub(crate) fn base_binary() -> Vec<u8> {
    wat::parse_str(BASE).unwrap()
}

#[test]
fn text_and_binary_form_load() {
    let engine = engine(Limits::default());
    engine.load_bytes("guest.wat", BASE.as_bytes()).unwrap();
    engine.load_bytes("guest.wasm", &base_binary()).unwrap();
}

#[test]
fn a_file_is_known_by_its_content_and_not_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(Limits::default());
    for (name, content) in [("text.wasm", BASE.as_bytes().to_vec()), ("binary.wat", base_binary())]
    {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        engine.load(&path).unwrap();
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = engine(Limits::default()).load("/nowhere/guest.wasm").err().unwrap();
    assert!(matches!(error, LoadError::Read { .. }));
    let told = error.to_string();
    assert!(told.starts_with("cannot read the module /nowhere/guest.wasm: No such file"), "{told}");
}

#[test]
fn the_factory_of_the_default_engine_tells_the_same_errors() {
    let error = WasmHostFactory::new("/nowhere/guest.wasm").err().unwrap();
    assert!(matches!(error, LoadError::Read { .. }), "{error}");
}

#[test]
fn what_is_not_webassembly_is_refused_in_one_line() {
    for bytes in [&b"\xff\xfe\x00"[..], b"<!doctype html>\n<html>", b"fn main() {}", b"\x7fELF"] {
        let error = check_refused(bytes, &["no WebAssembly module", "wasm32-wasip1"]);
        assert!(matches!(error, LoadError::NotWasm { .. }));
        assert_eq!(error.to_string().lines().count(), 1, "{error}");
    }
}

#[test]
fn an_empty_file_is_called_empty() {
    for bytes in ["", " \n"] {
        check_refused(bytes, &["no WebAssembly module", "it is empty"]);
    }
}

#[test]
fn a_module_that_is_cut_off_anywhere_is_refused() {
    let binary = base_binary();
    for length in [4, 7, 8, 20, binary.len() / 2, binary.len() - 1] {
        check_refused(&binary[..length], &[]);
    }
    let error = check_refused(&binary[..binary.len() - 1], &["no WebAssembly module"]);
    assert!(matches!(error, LoadError::NotWasm { .. }));
}

#[test]
fn a_component_is_refused() {
    check_refused("(component)", &["it is a component, not a core module", "wasm32-wasip1"]);
}

#[test]
fn a_module_that_fails_as_it_starts_is_refused_with_the_reason() {
    let start = "(func $start (unreachable)) (start $start)";
    let initialize = r#"(func (export "_initialize") (unreachable))"#;
    for (item, told) in [
        (start, "unreachable"),
        (initialize, "unreachable"),
        (r#"(func (export "_initialize") (loop (br 0)))"#, "CPU time"),
        ("(func $start (loop (br 0))) (start $start)", "CPU time"),
        (
            r#"(func (export "_initialize") (call $send_message (i32.const 0) (i32.const -1) (i32.const 9)))"#,
            "past the end of its memory",
        ),
        (r#"(data (i32.const 131072) "beyond")"#, "out of bounds"),
    ] {
        let error = check_edited(&[("(;items;)", item)], &["fails as it starts", told]);
        assert!(matches!(error, LoadError::FailsAtStart { .. }), "{error}");
    }
}
