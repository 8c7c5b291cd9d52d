//! The boundary between a module and its host: all that is `unsafe` on the guest's side.
//!
//! Nothing here is meant to be called by hand. `#[stateroom_wasm]` expands to [`export_service!`],
//! which gives the module these exports:
//!
//! | export | meaning |
//! | --- | --- |
//! | `_initialize()` | runs the module's constructors; the first call of all |
//! | `initialize(room_id_ptr, room_id_len)` | starts the room |
//! | `connect(client)`, `disconnect(client)`, `timer()` | events |
//! | `message(client, ptr, len)`, `binary(client, ptr, len)` | events with a payload |
//! | `jam_malloc(size) -> ptr`, `jam_free(ptr, size)` | memory for the host to pass a payload in |
//! | `stateroom_v1_buffer(len) -> ptr` | the same without a call to free it, see [`lend_buffer`] |
//! | `JAMSOCKET_API_VERSION`, `JAMSOCKET_API_PROTOCOL` | addresses of the numbers 1 and 0 |
//!
//! Its imports from `env` are `send_message(recipient, ptr, len)`, `send_binary(recipient, ptr,
//! len)` and `set_timer(ms)`.
//!
//! What the host must keep to, since no guest can check it: the bytes that it passes lie in memory
//! it got from `jam_malloc` or `stateroom_v1_buffer` and has written, and it leaves them alone while
//! the event runs. A host that calls an export from within an import is caught.

#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::RefCell;

#[cfg(target_arch = "wasm32")]
pub use crate::host_context::HostContext;
pub use crate::room::Room;
pub use core::primitive::{i32, u8, u32, usize};
pub use stateroom::{ClientId, SimpleStateroomService};
pub use std::thread_local;

/// Makes a type the service of this module. Called by the expansion of `#[stateroom_wasm]`.
///
/// The names inside are chosen so that nothing a user defines can be meant by them: paths start at
/// this crate, and the user's type is only used where a type is expected.
#[doc(hidden)]
#[macro_export]
macro_rules! export_service {
    ($service:ident) => {
        const _: () = $crate::boundary::assert_service::<$service>();

        // Other targets export nothing: `connect` there would replace the C library's.
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            $crate::boundary::thread_local! {
                static ROOM: $crate::boundary::Room<$service> = const { $crate::boundary::Room::not_started() };
            }

            #[unsafe(no_mangle)]
            static JAMSOCKET_API_VERSION: $crate::boundary::i32 = 1;

            #[unsafe(no_mangle)]
            static JAMSOCKET_API_PROTOCOL: $crate::boundary::i32 = 0;

            #[unsafe(no_mangle)]
            extern "C" fn _initialize() {
                $crate::boundary::run_constructors();
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn initialize(
                room_id: *const $crate::boundary::u8,
                length: $crate::boundary::usize,
            ) {
                $crate::boundary::run_constructors();
                // SAFETY: the host keeps to what the module `boundary` asks of it.
                unsafe {
                    $crate::boundary::with_bytes(room_id, length, |room_id| {
                        ROOM.with(|room| room.start(room_id, &$crate::boundary::HostContext));
                    });
                }
            }

            #[unsafe(no_mangle)]
            extern "C" fn connect(client: $crate::boundary::u32) {
                let client = $crate::boundary::ClientId(client);
                ROOM.with(|room| room.connect(client, &$crate::boundary::HostContext));
            }

            #[unsafe(no_mangle)]
            extern "C" fn disconnect(client: $crate::boundary::u32) {
                let client = $crate::boundary::ClientId(client);
                ROOM.with(|room| room.disconnect(client, &$crate::boundary::HostContext));
            }

            #[unsafe(no_mangle)]
            extern "C" fn timer() {
                ROOM.with(|room| room.timer(&$crate::boundary::HostContext));
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn message(
                client: $crate::boundary::u32,
                message: *const $crate::boundary::u8,
                length: $crate::boundary::usize,
            ) {
                let client = $crate::boundary::ClientId(client);
                // SAFETY: the host keeps to what the module `boundary` asks of it.
                unsafe {
                    $crate::boundary::with_bytes(message, length, |message| {
                        ROOM.with(|room| room.message(client, message, &$crate::boundary::HostContext));
                    });
                }
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn binary(
                client: $crate::boundary::u32,
                message: *const $crate::boundary::u8,
                length: $crate::boundary::usize,
            ) {
                let client = $crate::boundary::ClientId(client);
                // SAFETY: the host keeps to what the module `boundary` asks of it.
                unsafe {
                    $crate::boundary::with_bytes(message, length, |message| {
                        ROOM.with(|room| room.binary(client, message, &$crate::boundary::HostContext));
                    });
                }
            }

            #[unsafe(no_mangle)]
            extern "C" fn jam_malloc(size: $crate::boundary::usize) -> *mut $crate::boundary::u8 {
                $crate::boundary::allocate(size)
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn jam_free(
                pointer: *mut $crate::boundary::u8,
                size: $crate::boundary::usize,
            ) {
                // SAFETY: the host frees what it got from `jam_malloc`, once, with the same size.
                unsafe { $crate::boundary::free(pointer, size) }
            }

            #[unsafe(no_mangle)]
            extern "C" fn stateroom_v1_buffer(
                length: $crate::boundary::usize,
            ) -> *mut $crate::boundary::u8 {
                $crate::boundary::lend_buffer(length)
            }
        };
    };
}

/// Compiles only for a service.
pub const fn assert_service<S: SimpleStateroomService>() {}

thread_local! {
    /// What [`lend_buffer`] lends. Its length stays 0: only the host reads and writes its capacity.
    static LENT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Lends the host at least `length` bytes to write the payload of the next event into.
///
/// They are the host's until it calls this again: it writes a payload there and passes the pointer
/// to `message` or `binary`, which saves a call to allocate and one to free. The buffer only grows,
/// so a host allocates and frees what is large and rare.
///
/// # Panics
/// In the middle of an event, whose payload may lie in the buffer.
#[must_use]
pub fn lend_buffer(length: usize) -> *mut u8 {
    LENT.with(|lent| {
        let Ok(mut lent) = lent.try_borrow_mut() else {
            panic!("the host asked for the buffer in the middle of an event");
        };
        if lent.capacity() < length {
            // Dropped first, so that the old buffer and the new don't take memory together.
            *lent = Vec::new();
            lent.reserve(length);
        }
        lent.as_mut_ptr()
    })
}

/// Hands `handle` the `length` bytes that the host passed at `pointer`, which may be anything when
/// `length` is 0. They can't be lent again until it returns.
///
/// # Safety
/// The bytes are initialised, inside one allocation, and nobody writes to them during the call.
pub unsafe fn with_bytes<R>(
    pointer: *const u8,
    length: usize,
    handle: impl FnOnce(&[u8]) -> R,
) -> R {
    LENT.with(|lent| {
        let _lent_no_more = lent.borrow();
        if length == 0 {
            return handle(&[]);
        }
        assert!(
            !pointer.is_null() && isize::try_from(length).is_ok(),
            "the host passed {length} bytes at {pointer:p}, where no {length} bytes can be"
        );
        // SAFETY: not null and not too long, checked above; the rest is the caller's promise.
        handle(unsafe { std::slice::from_raw_parts(pointer, length) })
    })
}

/// Allocates `size` bytes for the host; never null, and for 0 bytes a pointer to nothing.
///
/// # Panics
/// When `size` is more than an allocation can have. When memory has run out, the module stops.
#[must_use]
pub fn allocate(size: usize) -> *mut u8 {
    if size == 0 {
        return std::ptr::dangling_mut();
    }
    let layout = layout(size);
    // SAFETY: the layout's size is not 0.
    let pointer = unsafe { alloc(layout) };
    if pointer.is_null() {
        handle_alloc_error(layout);
    }
    pointer
}

/// Frees what [`allocate`] gave out; nothing for 0 bytes.
///
/// # Safety
/// `pointer` came from `allocate(size)` with this `size`, and has not been freed since.
pub unsafe fn free(pointer: *mut u8, size: usize) {
    if size > 0 {
        // SAFETY: the caller's promise; the layout is the one that `allocate` used.
        unsafe { dealloc(pointer, layout(size)) }
    }
}

fn layout(size: usize) -> Layout {
    match Layout::array::<u8>(size) {
        Ok(layout) => layout,
        Err(_) => panic!("the host asked for {size} bytes, more than an allocation can have"),
    }
}

/// What only exists in a module: the host's functions, and the linker's.
#[cfg(target_arch = "wasm32")]
mod module {
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
}

#[cfg(target_arch = "wasm32")]
pub use module::run_constructors;
#[cfg(target_arch = "wasm32")]
pub(crate) use module::{send_binary, send_message, set_timer};
