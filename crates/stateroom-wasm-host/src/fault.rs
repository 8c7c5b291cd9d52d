//! What a guest can do wrong while it runs, and how that is told to the clients and to the log.

use crate::{guest_log, host_state::HostState};
use stateroom::ServiceFailure;
use std::{fmt::Write, time::Duration};
use wasmtime::{Trap, WasmBacktrace};

/// Frames of a guest's backtrace that are logged.
const FRAMES_LOGGED: usize = 8;

/// Why the host stopped a guest. As an error of an import, it becomes a trap.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error(
        "the guest passed {length} bytes at address {pointer}, past the end of its memory of {memory} bytes"
    )]
    OutsideMemory { pointer: u32, length: u32, memory: usize },
    #[error("the guest passed text that is not UTF-8: {0}")]
    NotUtf8(std::str::Utf8Error),
    #[error("the guest passed a command that cannot be decoded: {0}")]
    BadCommand(&'static str),
    #[error("the guest called the host before its memory was there")]
    NoMemory,
    #[error("the event took {used:?} of CPU time, of which it may take {limit:?} (`{setting}`)")]
    TookTooLong { used: Duration, limit: Duration, setting: &'static str },
    #[error("the event gave more than {limit} commands (sends and timers)")]
    TooManyCommands { limit: u32 },
    #[error("the event sent more than {limit} bytes")]
    TooManyBytes { limit: usize },
    #[error(
        "a message of {length} bytes cannot be passed to a guest, whose addresses end at 4 GiB"
    )]
    MessageTooLong { length: usize },
    #[error(
        "its rooms start with {desired} of what `{setting}` limits, and the limit of this one is \
         {limit}: raise it"
    )]
    StartsPastLimit { setting: &'static str, limit: u64, desired: usize },
    #[error("the machine has not the memory that the room asked for and may have: {reason}")]
    NoMachineMemory { reason: String },
    #[error("the service could not tell its state: {reason}")]
    NotHandedOver { reason: String },
    #[error("the service can't go on with the state it was given: {reason}")]
    NotTakenOver { reason: String },
    #[error("the module does not offer to carry the state of its rooms over")]
    NoCarryOver,
    #[error("the guest sent something or set its timer while it told its state")]
    CommandWhileHandingOver,
    #[error("the guest ended itself with exit code {0}")]
    Exited(u32),
    #[error("the guest had no {length} bytes for a message to it")]
    NoBuffer { length: u32 },
}

/// Tells why a call into a guest came back with `error`.
pub(crate) fn failure(error: &wasmtime::Error, state: &HostState) -> ServiceFailure {
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
        if state.replaying {
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
