//! A guest's stack is as large as is set, and a thread that runs guests has to have it.

use crate::support::{Room, config, engine, load};
use stateroom::StateroomService;
use stateroom_wasm_host::{EngineError, Limits, WasmEngine};
use std::{thread, time::Duration};

const MIB: usize = 1 << 20;

/// Recurses for ever, and calls the host at each step.
const DEEPER: &str = "(func $deeper (drop (call $yield)) (call $deeper))";
const YIELD: &str = r#"(import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))"#;

/// There is time for all of it on a busy machine.
fn with_stack(stack_bytes: usize) -> Limits {
    Limits { stack_bytes, cpu_time_per_event: Duration::from_secs(60), ..Limits::default() }
}

#[test]
fn endless_recursion_ends_the_event_on_a_thread_with_the_stack_that_is_told() {
    for stack_bytes in [64 << 10, 2 * MIB, 16 * MIB] {
        let engine = engine(with_stack(stack_bytes));
        let thread = thread::Builder::new().stack_size(engine.thread_stack_bytes());
        let failure = thread.spawn(move || {
            let edits =
                [("(;imports;)", YIELD), ("(;items;)", DEEPER), ("(;timer;)", "(call $deeper)")];
            let mut room = Room::start(&load(&engine, &edits));
            room.host.timer();
            room.host.failure().cloned()
        });
        let failure = failure.unwrap().join().unwrap().expect("the room fails");
        assert_eq!(failure.summary, "room failed: recursion too deep");
        assert!(
            failure.detail.contains(&format!("{stack_bytes} bytes (`stack_bytes`)")),
            "{failure}"
        );
    }
}

/// Whoever loads a module may have a small stack; what the module runs then has its own.
#[test]
fn endless_recursion_as_a_module_starts_refuses_it_on_any_thread() {
    let engine = engine(with_stack(4 * MIB));
    let initialize = r#"(func (export "_initialize") (call $deeper))"#;
    let items = format!("{DEEPER} {initialize}");
    let text = crate::support::module(&[("(;imports;)", YIELD), ("(;items;)", &items)]);
    let thread = thread::Builder::new().stack_size(2 * MIB);
    let loaded = thread.spawn(move || engine.load_bytes("guest.wasm", text.as_bytes()).err());
    let error = loaded.unwrap().join().unwrap().expect("it is refused").to_string();
    assert!(error.contains("recursion too deep"), "{error}");
}

#[test]
fn the_default_needs_no_more_than_threads_have() {
    assert_eq!(Limits::default().thread_stack_bytes(), 2 * MIB);
}

#[test]
fn a_stack_that_no_thread_should_have_is_refused() {
    for stack_bytes in [(256 << 20) + 1, usize::MAX] {
        let error = WasmEngine::new(config(Limits { stack_bytes, ..Limits::default() })).err();
        let error = error.expect("too much");
        assert!(matches!(error, EngineError::Settings { .. }), "{error}");
        let told = error.to_string();
        assert!(told.contains("`stack_bytes` is") && told.contains("268435456"), "{told}");
    }
    WasmEngine::new(config(Limits { stack_bytes: 256 << 20, ..Limits::default() })).unwrap();
}
