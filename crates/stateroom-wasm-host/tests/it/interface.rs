//! A module that does not follow the guest interface is refused with the name of what is amiss.

use crate::{
    loading::{check_edited, check_refused},
    support::{edited, engine},
};
use stateroom_wasm_host::{Limits, LoadError};

#[test]
fn each_export_that_is_missing_is_named() {
    for export in [
        "memory",
        "JAMSOCKET_API_VERSION",
        "JAMSOCKET_API_PROTOCOL",
        "initialize",
        "connect",
        "disconnect",
        "message",
        "binary",
        "timer",
        "jam_malloc",
        "jam_free",
    ] {
        let told = [format!("does not export `{export}` ("), "docs/guests.md".into()];
        let quoted = format!("\"{export}\"");
        let error = check_edited(&[(&quoted, "\"other\"")], &[&told[0], &told[1]]);
        assert!(matches!(error, LoadError::MissingExport { .. }));
    }
}

#[test]
fn each_export_of_the_encoding_generation_that_is_missing_is_named() {
    let base = r#"(module
        (memory (export "memory") 1)
        (data (i32.const 8) "\01")
        (global (export "STATEROOM_API_VERSION") i32 (i32.const 8))
        (global (export "STATEROOM_API_PROTOCOL") i32 (i32.const 12))
        (func (export "stateroom_recv") (param i32 i32))
        (func (export "stateroom_malloc") (param i32) (result i32) (i32.const 64))
        (func (export "stateroom_free") (param i32 i32)))"#;
    engine(Limits::default()).load_bytes("guest.wasm", base.as_bytes()).unwrap();
    for export in [
        "memory",
        "STATEROOM_API_VERSION",
        "STATEROOM_API_PROTOCOL",
        "stateroom_malloc",
        "stateroom_free",
    ] {
        let quoted = format!("\"{export}\"");
        let told = format!("does not export `{export}` (");
        check_refused(edited(base, &[(&quoted, "\"other\"")]), &[&told]);
    }
}

#[test]
fn an_export_of_the_wrong_type_is_told_with_both_types() {
    let version = r#"(global (export "JAMSOCKET_API_VERSION") i32 (i32.const 8))"#;
    let timer = r#"(func (export "timer") (;timer;))"#;
    for (old, new, told) in [
        (
            timer,
            r#"(func (export "timer") (param i64))"#,
            "has `timer` as a function (i64), where the guest interface has a function ()",
        ),
        (
            timer,
            r#"(func (export "timer") (result i32 f32) unreachable)"#,
            "has `timer` as a function () -> i32, f32",
        ),
        (timer, r#"(table (export "timer") 1 funcref)"#, "has `timer` as a table"),
        (
            version,
            r#"(global (export "JAMSOCKET_API_VERSION") i64 (i64.const 8))"#,
            "has `JAMSOCKET_API_VERSION` as a global i64, where the guest interface has a global",
        ),
        (
            version,
            r#"(func (export "JAMSOCKET_API_VERSION"))"#,
            "has `JAMSOCKET_API_VERSION` as a function ()",
        ),
        (
            r#"(memory (export "memory") 2)"#,
            r#"(memory 2) (func (export "memory"))"#,
            "has `memory` as a function (), where the guest interface has a memory",
        ),
        (
            "(;items;)",
            r#"(func (export "_initialize") (param i32))"#,
            "has `_initialize` as a function (i32)",
        ),
        (
            "(;items;)",
            r#"(func (export "stateroom_v1_buffer") (param i32))"#,
            "where the guest interface has a function (i32) -> i32",
        ),
    ] {
        let error = check_edited(&[(old, new)], &[told, "docs/guests.md"]);
        assert!(matches!(error, LoadError::WrongSignature { .. }));
    }
}

#[test]
fn an_import_of_the_wrong_type_is_told_with_both_types() {
    let old = r#"(import "env" "set_timer" (func $set_timer (param i32)))"#;
    for (new, told) in [
        (
            r#"(import "env" "set_timer" (func $set_timer (param i64)))"#,
            "has `env.set_timer` as a function (i64), where the guest interface has a function (i32)",
        ),
        (r#"(import "env" "set_timer" (global i32))"#, "has `env.set_timer` as a global i32"),
        (
            r#"(import "wasi_snapshot_preview1" "fd_write" (func (param i64)))"#,
            "wasi_snapshot_preview1::fd_write",
        ),
    ] {
        let error = check_edited(&[(old, new)], &[told]);
        assert!(matches!(error, LoadError::WrongSignature { .. }), "{error}");
    }
}

#[test]
fn an_import_that_no_room_has_is_named_with_where_it_may_come_from() {
    for (import, name) in [
        (
            r#"(import "__wbindgen_placeholder__" "__wbindgen_describe" (func (param i32)))"#,
            "imports `__wbindgen_placeholder__.__wbindgen_describe`",
        ),
        (r#"(import "env" "emscripten_run" (func))"#, "imports `env.emscripten_run`"),
        (r#"(import "env" "table" (table 1 funcref))"#, "imports `env.table`"),
        (
            r#"(import "wasi_snapshot_preview1" "x" (global i32))"#,
            "imports `wasi_snapshot_preview1.x`",
        ),
        (r#"(import "wasi_unstable" "fd_write" (func))"#, "imports `wasi_unstable.fd_write`"),
    ] {
        let error = check_edited(&[("(;imports;)", import)], &[name, "docs/guests.md"]);
        assert!(matches!(error, LoadError::UnknownImport { .. }));
    }
    let import = r#"(import "stateroom_v1" "fly" (func (param i32)))"#;
    let told = ["imports stateroom_v1.fly", "needs a newer one"];
    let error = check_edited(&[("(;imports;)", import)], &told);
    assert!(matches!(error, LoadError::NewerImport { .. }));
    let import = r#"(import "stateroom_v1" "close" (func (param i32)))"#;
    check_edited(&[("(;imports;)", import)], &["has `stateroom_v1.close` as a function (i32)"]);
}

#[test]
fn another_version_or_protocol_is_told_with_the_one_that_is_spoken() {
    let numbers = r"\01\00\00\00\00\00\00\00";
    for (found, told) in [
        (r"\02\00\00\00\00\00\00\00", "has JAMSOCKET_API_VERSION 2, and this host speaks 1"),
        (r"\01\00\00\00\05\00\00\00", "has JAMSOCKET_API_PROTOCOL 5, and this host speaks 0"),
    ] {
        let error = check_edited(&[(numbers, found)], &[told, "`stateroom-wasm` that matches"]);
        assert!(matches!(error, LoadError::WrongVersion { .. }));
    }
}

#[test]
fn a_version_that_lies_outside_memory_is_told_with_its_address() {
    let old = "i32 (i32.const 8)";
    for (address, told) in
        [("-1", "4294967295"), ("131070", "131070"), ("0x7fffffff", "2147483647")]
    {
        let new = format!("i32 (i32.const {address})");
        let told = format!("has `JAMSOCKET_API_VERSION` as {told}, which is outside");
        check_edited(&[(old, &new)], &[&told, "the address of an i32 in memory"]);
    }
}
