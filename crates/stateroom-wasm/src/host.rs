//! What only exists in a module: the host's functions, and the linker's.

#![allow(unsafe_code)]

use std::sync::atomic::{AtomicBool, Ordering};

/// The host's functions. Each only reads the bytes, before it returns.
mod env {
    #[link(wasm_import_module = "env")]
    unsafe extern "C" {
        pub(super) fn send_message(recipient: i32, message: *const u8, length: usize);
        pub(super) fn send_binary(recipient: i32, message: *const u8, length: usize);
        pub(super) safe fn set_timer(ms_delay: u32);
    }
}

unsafe extern "C" {
    /// Written by the linker: runs every constructor of the module. That something calls it
    /// also keeps the linker from wrapping each export in a call of its own to it.
    fn __wasm_call_ctors();
}

/// Runs the module's constructors, the first time it is called. A host of the first generation
/// doesn't know `_initialize`, so `initialize` calls this too.
pub fn run_constructors() {
    static DONE: AtomicBool = AtomicBool::new(false);
    if !DONE.swap(true, Ordering::Relaxed) {
        // SAFETY: called once, before any code of the service.
        unsafe { __wasm_call_ctors() }
    }
}

pub(crate) fn send_message(recipient: i32, message: &str) {
    // SAFETY: the pointer and the length are those of a live `str`.
    unsafe { env::send_message(recipient, message.as_ptr(), message.len()) }
}

pub(crate) fn send_binary(recipient: i32, message: &[u8]) {
    // SAFETY: the pointer and the length are those of a live slice.
    unsafe { env::send_binary(recipient, message.as_ptr(), message.len()) }
}

pub(crate) fn set_timer(ms_delay: u32) {
    env::set_timer(ms_delay);
}
