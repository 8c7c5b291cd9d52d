//! How a guest's failure is told to the clients and to the log.

use crate::{fault::Fault, guest_log, host_state::HostState};
use stateroom::ServiceFailure;
use std::fmt::Write;
use wasmtime::{Trap, WasmBacktrace};

/// Frames of a guest's backtrace that are logged.
const FRAMES_LOGGED: usize = 8;

/// Tells why a call into a guest came back with `error`.
pub(crate) fn of(error: &wasmtime::Error, state: &HostState) -> ServiceFailure {
    let fault = error.downcast_ref::<Fault>();
    let trap = error.downcast_ref::<Trap>();
    let summary = match (fault, trap) {
        (Some(Fault::TookTooLong { .. }), _) => "room failed: an event took too long",
        (Some(Fault::TooManyCommands { .. } | Fault::TooManyBytes { .. }), _) => {
            "room failed: an event sent too much"
        }
        (_, Some(Trap::StackOverflow)) => "room failed: recursion too deep",
        (Some(Fault::NotTakenOver { .. }), _) => "room failed: new code can't take it over",
        (Some(Fault::StartsPastLimit { .. }), _) => "room failed: a limit is too small for it",
        (Some(Fault::NoMachineMemory { .. }), _) => "room failed: out of memory",
        _ if state.bounds.memory_refused => "room failed: out of memory",
        _ => "room failed: an error in its service",
    };
    let mut detail = match (fault, trap) {
        (Some(fault), _) => fault.to_string(),
        (_, Some(trap)) => trap.to_string(),
        _ => error.root_cause().to_string(),
    };
    // Writing to a String cannot fail, here and below.
    if let Some(Trap::StackOverflow) = trap {
        let bytes = state.stack_bytes();
        let _ = write!(detail, "; the stack is {bytes} bytes (`stack_bytes`)");
        if state.is_replaying() {
            detail.push_str(
                ", which is too small for this room: the event has passed before, with a larger one",
            );
        }
    }
    let last_words = state.log.last_words();
    if !last_words.is_empty() {
        let _ = write!(detail, "; the guest printed: {last_words}");
    }
    if let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() {
        for (place, frame) in backtrace.frames().iter().take(FRAMES_LOGGED).enumerate() {
            let before = if place == 0 { "; in " } else { " < " };
            let _ = match frame.func_name() {
                Some(name) => write!(detail, "{before}{}", short_name(name)),
                None => write!(detail, "{before}function {}", frame.func_index()),
            };
        }
    }
    // What was printed and the names of functions are the guest's.
    ServiceFailure { summary, detail: guest_log::without_control(&detail) }
}

/// A function's name without the hash that ends a mangled one; names of generics may be endless.
fn short_name(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name)).chars().take(120).collect()
}
