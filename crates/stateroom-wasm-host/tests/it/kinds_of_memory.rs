//! A module's memories and tables have to be those that a room has.

use crate::{
    loading::{check_edited, check_refused},
    support::{BASE, edited, engine, load, module},
};
use stateroom_wasm_host::{Limits, LoadError};

const MEMORY: &str = r#"(memory (export "memory") 2)"#;

#[track_caller]
fn check_memory(memory: &str, told: &[&str]) {
    let error = check_edited(&[(MEMORY, memory)], told);
    assert!(matches!(error, LoadError::Memory { .. }), "{error}");
}

#[test]
fn memory_of_64_bit_addresses_is_refused() {
    let without_data = r#"(data (i32.const 8) "\01\00\00\00\00\00\00\00")"#;
    let memory = r#"(memory (export "memory") i64 2)"#;
    let told = ["64-bit addresses", "build it for wasm32"];
    let error = check_edited(&[(MEMORY, memory), (without_data, "")], &told);
    assert!(matches!(error, LoadError::Memory { .. }), "{error}");
}

#[test]
fn shared_memory_is_refused() {
    check_memory(
        r#"(memory (export "memory") 2 2 shared)"#,
        &["shared between threads", "atomics"],
    );
}

#[test]
fn imported_memory_is_refused() {
    let told = ["imports its memory", "`env.memory`", "--import-memory"];
    let import = (MEMORY, r#"(export "memory" (memory 0))"#);
    let edits = [import, ("(;imports;)", r#"(import "env" "memory" (memory 2))"#)];
    let error = check_edited(&edits, &told);
    assert!(matches!(error, LoadError::Memory { .. }), "{error}");
}

#[test]
fn several_memories_are_refused() {
    check_memory(&format!("{MEMORY} (memory 1)"), &["has 2 memories", "multi-memory"]);
}

#[test]
fn several_tables_are_refused() {
    let tables = "(table 1 funcref) (table 1 funcref) (table 1 funcref)";
    check_edited(&[("(;items;)", tables)], &["has 3 tables", "a room has one"]);
}

#[test]
fn more_memory_than_the_limit_is_refused_and_as_much_is_not() {
    let limits = Limits::default();
    check_memory(
        r#"(memory (export "memory") 1025)"#,
        &["67174400 bytes", "a room may have 67108864", "`memory_bytes`"],
    );
    load(&engine(limits), &[(MEMORY, r#"(memory (export "memory") 1024)"#)]);
}

#[test]
fn more_table_than_the_limit_is_refused_and_as_much_is_not() {
    let told = ["starts with 20001 elements", "may have 20000", "`table_elements`"];
    check_edited(&[("(;items;)", "(table 20001 funcref)")], &told);
    load(&engine(Limits::default()), &[("(;items;)", "(table 20000 funcref)")]);
}

#[test]
fn endless_memories_and_tables_are_refused() {
    check_memory(r#"(memory (export "memory") 65536)"#, &["4294967296 bytes"]);
    check_edited(&[("(;items;)", "(table 0xffffffff funcref)")], &["4294967295 elements"]);
    let told = ["100001 elements", "no room can have more than 100000"];
    check_edited(&[("(;items;)", "(table 100001 funcref)")], &told);
}

#[test]
fn a_limit_that_is_no_whole_number_of_pages_is_rounded_down() {
    let engine = engine(Limits { memory_bytes: (2 << 16) + 65_535, ..Limits::default() });
    load(&engine, &[]);
    let three = module(&[(MEMORY, r#"(memory (export "memory") 3)"#)]);
    let error = engine.load_bytes("guest.wasm", three.as_bytes()).err().unwrap();
    assert!(error.to_string().contains("a room may have 131072"), "{error}");
}

#[test]
fn pages_of_another_size_are_refused() {
    let memory = r#"(memory (export "memory") 131072 (pagesize 1))"#;
    check_refused(edited(BASE, &[(MEMORY, memory)]), &["`custom-page-sizes`"]);
}
