//! What only exists in a module: the host's functions, and the linker's.

#![allow(unsafe_code)]

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

/// The host's functions. Each only reads the bytes, before it returns.
mod env {
    #[link(wasm_import_module = "env")]
    unsafe extern "C" {
        pub(super) fn send_message(recipient: i32, message: *const u8, length: usize);
        pub(super) fn send_binary(recipient: i32, message: *const u8, length: usize);
        pub(super) safe fn set_timer(ms_delay: u32);
    }
}

/// Those that a module imports only if its service uses them.
mod v1 {
    #[link(wasm_import_module = "stateroom_v1")]
    unsafe extern "C" {
        pub(super) fn close(client: u32, code: u32, reason: *const u8, length: usize);
        pub(super) fn clients(ids: *mut u32, places: usize) -> u32;
        pub(super) fn user(client: u32, name: *mut u8, length: usize) -> u32;
        pub(super) fn config(
            name: *const u8,
            name_length: usize,
            value: *mut u8,
            length: usize,
        ) -> u32;
        pub(super) fn claim(
            client: u32,
            name: *const u8,
            name_length: usize,
            value: *mut u8,
            length: usize,
        ) -> u32;
    }
}

/// The clock, which is the room's. The one of the standard library is not there on `wasm32-unknown-unknown`.
mod wasi {
    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    unsafe extern "C" {
        pub(super) fn clock_time_get(clock: u32, precision: u64, nanoseconds: *mut u64) -> u16;
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

pub(crate) fn close(client: u32, code: u16, reason: &str) {
    // SAFETY: the pointer and the length are those of a live `str`.
    unsafe { v1::close(client, code.into(), reason.as_ptr(), reason.len()) }
}

pub(crate) fn clients() -> Vec<u32> {
    // SAFETY: there is no place to write to.
    let count = unsafe { v1::clients(std::ptr::null_mut(), 0) };
    let mut ids = vec![0; count as usize];
    // SAFETY: the pointer and the length are those of a live slice, and nobody comes during an event.
    unsafe { v1::clients(ids.as_mut_ptr(), ids.len()) };
    ids
}

pub(crate) fn user(client: u32) -> Option<String> {
    // SAFETY: the pointer and the length are those of a live slice; so below.
    told(|place| unsafe { v1::user(client, place.as_mut_ptr(), place.len()) })
}

pub(crate) fn claim(client: u32, name: &str) -> Option<String> {
    // SAFETY: the same, of a live `str` too.
    told(|place| unsafe {
        v1::claim(client, name.as_ptr(), name.len(), place.as_mut_ptr(), place.len())
    })
}

pub(crate) fn config(name: &str) -> Option<String> {
    // SAFETY: as above.
    told(|place| unsafe { v1::config(name.as_ptr(), name.len(), place.as_mut_ptr(), place.len()) })
}

/// A text that the host writes where there is a place for the whole, and tells the length of, or that there is none.
fn told(ask: impl Fn(&mut [u8]) -> u32) -> Option<String> {
    let length = ask(&mut []);
    if length == u32::MAX {
        return None;
    }
    let mut text = vec![0; length as usize];
    ask(&mut text);
    String::from_utf8(text).ok()
}

/// The time since 1970-01-01 00:00 UTC.
pub(crate) fn now() -> Duration {
    let mut nanoseconds = 0;
    // SAFETY: the pointer is that of a live `u64`, which is aligned. Clock 0 is that of the time of day.
    unsafe { wasi::clock_time_get(0, 1, &raw mut nanoseconds) };
    Duration::from_nanos(nanoseconds)
}
