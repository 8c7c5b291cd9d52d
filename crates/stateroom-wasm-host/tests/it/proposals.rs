//! A module may use what is on the list of proposals, and is told the name of what is not.

use crate::{
    loading::check_edited,
    support::{Asked, start},
};
use stateroom_wasm_host::LoadError;

#[track_caller]
fn check_not_allowed(items: &str, proposal: &str) {
    let named = format!("`{proposal}`");
    let told = [&*named, "rooms do not offer", "build it without that feature"];
    let error = check_edited(&[("(;items;)", items)], &told);
    assert!(matches!(error, LoadError::NotAllowed { .. }), "{error}");
}

#[test]
fn what_is_not_on_the_list_is_refused_by_its_name() {
    let four = "(v128.const i32x4 0 0 0 0)";
    let wide = "(i64.add128 (i64.const 1) (i64.const 0) (i64.const 1) (i64.const 0))";
    for (items, proposal) in [
        ("(func $t (return_call $t))", "tail-call"),
        ("(func (drop (i32.atomic.load (i32.const 0))))", "threads"),
        (&format!("(func (drop (f32x4.relaxed_madd {four} {four} {four})))"), "relaxed-simd"),
        ("(tag $t) (func (throw $t))", "exceptions"),
        ("(type $s (struct (field i32))) (func (drop (struct.new $s (i32.const 1))))", "gc"),
        (
            "(type $f (func)) (func (param (ref $f)) (call_ref $f (local.get 0)))",
            "function-references",
        ),
        (&format!("(func (result i64 i64) {wide})"), "wide-arithmetic"),
    ] {
        check_not_allowed(items, proposal);
    }
}

#[test]
fn what_compilers_emit_is_allowed() {
    let items = r#"
        (global $counter (export "counter") (mut i32) (i32.const 0))
        (global i32 (i32.add (i32.const 1) (i32.const 2)))
        (table 2 funcref)
        (func $two (result i32 i32) (i32.const 3) (i32.const 4))
        (func $reference (param funcref) (result i32) (ref.is_null (local.get 0)))"#;
    let timer = "
        (memory.fill (i32.const 1024) (i32.const 1) (i32.const 16))
        (memory.copy (i32.const 2048) (i32.const 1024) (i32.const 16))
        (global.set $counter (i32.add (call $two)))
        (global.set $counter (i32.add (global.get $counter) (call $reference (ref.null func))))
        (global.set $counter (i32.add (global.get $counter) (i32.extend8_s (i32.const 255))))
        (global.set $counter (i32.add (global.get $counter) (i32.trunc_sat_f32_s (f32.const 2.5))))
        (call $set_timer (i32.add (global.get $counter)
            (i32x4.extract_lane 0 (i32x4.splat (i32.load8_u (i32.const 2048))))))";
    let mut room = start(&[("(;items;)", items), ("(;timer;)", timer)]);
    // 3 + 4, 1, -1, 2 and 1.
    assert_eq!(room.fire(), [Asked::Timer(10)]);
}
