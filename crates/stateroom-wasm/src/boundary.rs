//! The boundary between a module and its host, on the guest's side: what the module exports.
//!
//! Nothing here is meant to be called by hand. `#[stateroom_wasm]` expands to `export_service!`,
//! which gives the module these exports:
//!
//! | export | meaning |
//! | --- | --- |
//! | `_initialize()` | runs the module's constructors; the first call of all |
//! | `initialize(room_id_ptr, room_id_len)` | starts the room |
//! | `connect(client)`, `disconnect(client)`, `timer()` | events |
//! | `stateroom_v1_left(client, reason)` | called instead of `disconnect` by a host that knows it, see [`left`] |
//! | `message(client, ptr, len)`, `binary(client, ptr, len)` | events with a payload |
//! | `jam_malloc(size) -> ptr`, `jam_free(ptr, size)` | memory for the host to pass a payload in |
//! | `stateroom_v1_buffer(len) -> ptr` | the same without a call to free it, see [`lend_buffer`] |
//! | `stateroom_v1_request(ptr, len) -> told` | answers an HTTP request, see [`Request::encode`] |
//! | `JAMSOCKET_API_VERSION`, `JAMSOCKET_API_PROTOCOL` | addresses of the numbers 1 and 0 |
//!
//! `#[stateroom_wasm(carry_over)]` expands to `export_carried_service!`, which adds these:
//!
//! | export | meaning |
//! | --- | --- |
//! | `stateroom_v1_hand_over() -> told` | tells the state of the service, see [`Told`] |
//! | `stateroom_v1_take_over(room_id_ptr, room_id_len, state_ptr, state_len) -> told` | starts the room with such a state, instead of `initialize`; null, or why not |
//!
//! Its imports from `env` are `send_message(recipient, ptr, len)`, `send_binary(recipient, ptr,
//! len)` and `set_timer(ms)`.
//!
//! What the host must keep to, since no guest can check it: the bytes that it passes lie in memory
//! it got from `jam_malloc` or `stateroom_v1_buffer` and has written, and it leaves them alone while
//! the event runs. A host that calls an export from within an import is caught.

#![allow(unsafe_code)]

use crate::room::Room;
use stateroom::{ClientId, LeaveReason, Request, StateroomService};
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::RefCell;
use std::convert::Infallible;

pub use crate::carry_over::{CarriedOver, CarryOver, TakeOver, carried_over};
pub use crate::context::Context;
#[cfg(target_arch = "wasm32")]
pub use crate::host::run_constructors;
pub use crate::room::build;
pub use core::primitive::{i32, u8, u32, usize};

/// How the service of this module is started: [`build`] for the user's type.
pub type Build = fn(&str, Context) -> Box<dyn StateroomService>;

/// Gives this module its exports. Called by the expansion of `#[stateroom_wasm]` with
/// `build::<Service, _>`.
///
/// Every path starts at this crate, so nothing that a user's module defines can be meant by it.
#[doc(hidden)]
#[macro_export]
macro_rules! export_service {
    ($build:expr) => {
        const _: () = {
            const BUILD: $crate::boundary::Build = $build;

            // What a constant of no name uses is alive. So the compiler does not call the service
            // dead code on the targets where nothing else refers to it.
            const _: $crate::boundary::Build = BUILD;

            // Other targets export nothing: `connect` there would replace the C library's.
            #[cfg(target_arch = "wasm32")]
            $crate::export_functions!(BUILD);
        };
    };
}

/// The same for a service that is carried over, with `carried_over::<Service>()`.
#[doc(hidden)]
#[macro_export]
macro_rules! export_carried_service {
    ($carried_over:expr) => {
        const _: () = {
            const CARRIED_OVER: $crate::boundary::CarriedOver = $carried_over;

            // As above.
            const _: $crate::boundary::CarriedOver = CARRIED_OVER;

            #[cfg(target_arch = "wasm32")]
            const BUILD: $crate::boundary::Build = CARRIED_OVER.build;
            #[cfg(target_arch = "wasm32")]
            $crate::export_functions!(BUILD);
            #[cfg(target_arch = "wasm32")]
            $crate::export_carry_over!(CARRIED_OVER);
        };
    };
}

/// The exports that carry a service over.
#[doc(hidden)]
#[macro_export]
macro_rules! export_carry_over {
    ($carried_over:ident) => {
        #[unsafe(no_mangle)]
        extern "C" fn stateroom_v1_hand_over() -> *const $crate::boundary::Told {
            $crate::boundary::hand_over()
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn stateroom_v1_take_over(
            __room_id: *const $crate::boundary::u8,
            __length: $crate::boundary::usize,
            __state: *const $crate::boundary::u8,
            __state_length: $crate::boundary::usize,
        ) -> *const $crate::boundary::Told {
            $crate::boundary::run_constructors();
            // SAFETY: as in `initialize`.
            unsafe {
                $crate::boundary::take_over(
                    $carried_over.take_over,
                    __room_id,
                    __length,
                    __state,
                    __state_length,
                )
            }
        }
    };
}

/// The exports themselves, each a call of the function of the same name in `boundary`.
///
/// The parameters have names that nobody gives to a constant: one in sight of the user's item would
/// be taken for the pattern.
#[doc(hidden)]
#[macro_export]
macro_rules! export_functions {
    ($build:ident) => {
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
            __room_id: *const $crate::boundary::u8,
            __length: $crate::boundary::usize,
        ) {
            $crate::boundary::run_constructors();
            // SAFETY: the host keeps to what `boundary` asks of it; so in each function below.
            unsafe { $crate::boundary::initialize($build, __room_id, __length) }
        }

        #[unsafe(no_mangle)]
        extern "C" fn connect(__client: $crate::boundary::u32) {
            $crate::boundary::connect(__client);
        }

        #[unsafe(no_mangle)]
        extern "C" fn disconnect(__client: $crate::boundary::u32) {
            $crate::boundary::disconnect(__client);
        }

        #[unsafe(no_mangle)]
        extern "C" fn stateroom_v1_left(
            __client: $crate::boundary::u32,
            __reason: $crate::boundary::u32,
        ) {
            $crate::boundary::left(__client, __reason);
        }

        #[unsafe(no_mangle)]
        extern "C" fn timer() {
            $crate::boundary::timer();
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn message(
            __client: $crate::boundary::u32,
            __message: *const $crate::boundary::u8,
            __length: $crate::boundary::usize,
        ) {
            // SAFETY: as in `initialize`.
            unsafe { $crate::boundary::message(__client, __message, __length) }
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn binary(
            __client: $crate::boundary::u32,
            __message: *const $crate::boundary::u8,
            __length: $crate::boundary::usize,
        ) {
            // SAFETY: as in `initialize`.
            unsafe { $crate::boundary::binary(__client, __message, __length) }
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn stateroom_v1_request(
            __request: *const $crate::boundary::u8,
            __length: $crate::boundary::usize,
        ) -> *const $crate::boundary::Told {
            // SAFETY: as in `initialize`.
            unsafe { $crate::boundary::request(__request, __length) }
        }

        #[unsafe(no_mangle)]
        extern "C" fn jam_malloc(__size: $crate::boundary::usize) -> *mut $crate::boundary::u8 {
            $crate::boundary::allocate(__size)
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn jam_free(
            __pointer: *mut $crate::boundary::u8,
            __size: $crate::boundary::usize,
        ) {
            // SAFETY: as in `initialize`.
            unsafe { $crate::boundary::free(__pointer, __size) }
        }

        #[unsafe(no_mangle)]
        extern "C" fn stateroom_v1_buffer(
            __length: $crate::boundary::usize,
        ) -> *mut $crate::boundary::u8 {
            $crate::boundary::lend_buffer(__length)
        }
    };
}

thread_local! {
    /// The room of this module, which has one thread.
    static ROOM: Room = const { Room::not_started() };
}

/// Starts the room whose id is the `length` bytes at `room_id`.
///
/// # Safety
/// As for `with_bytes`.
///
/// # Panics
/// When the id is not UTF-8, and in the middle of an event.
pub unsafe fn initialize(build: Build, room_id: *const u8, length: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        with_bytes(room_id, length, |room_id| {
            let room_id = utf8(room_id, "a room id");
            let build = || Ok::<_, Infallible>(build(room_id, Context::default()));
            let Ok(()) = ROOM.with(|room| room.start("initialize", build));
        });
    }
}

/// A client has connected. This and every other event panics before [`initialize`] and in the
/// middle of an event.
pub fn connect(client: u32) {
    ROOM.with(|room| room.handle("connect", |service| service.connect(ClientId(client))));
}

/// A client has gone.
pub fn disconnect(client: u32) {
    ROOM.with(|room| room.handle("disconnect", |service| service.disconnect(ClientId(client))));
}

/// A client has gone, for the reason of this [number](LeaveReason::number). A host calls this instead of
/// [`disconnect`] if it knows it.
pub fn left(client: u32, reason: u32) {
    let (client, reason) = (ClientId(client), LeaveReason::from_number(reason));
    ROOM.with(|room| room.handle("left", |service| service.left(client, reason)));
}

/// The timer has run out.
pub fn timer() {
    ROOM.with(|room| room.handle("timer", |service| service.timer()));
}

/// A client has sent the `length` bytes of text at `message`.
///
/// # Safety
/// As for `with_bytes`, and the bytes are UTF-8. A host has checked that already; checking it again would be a
/// tenth of what a small message costs in here.
pub unsafe fn message(client: u32, message: *const u8, length: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        with_bytes(message, length, |message| {
            let message = std::str::from_utf8_unchecked(message);
            ROOM.with(|room| {
                room.handle("message", |service| service.message(ClientId(client), message));
            });
        });
    }
}

/// A client has sent the `length` bytes at `message`.
///
/// # Safety
/// As for `with_bytes`.
pub unsafe fn binary(client: u32, message: *const u8, length: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        with_bytes(message, length, |message| {
            ROOM.with(|room| {
                room.handle("binary", |service| service.binary(ClientId(client), message));
            });
        });
    }
}

/// An HTTP request has come: the `length` bytes at `request`. The pointer is valid until the next call that tells something.
///
/// # Safety
/// As for `with_bytes`.
///
/// # Panics
/// As [`connect`], and when the bytes are no request.
#[must_use]
pub unsafe fn request(request: *const u8, length: usize) -> *const Told {
    let mut answer = Vec::new();
    // SAFETY: the caller's promise.
    unsafe {
        with_bytes(request, length, |request| {
            let request = match Request::decode(request) {
                Ok(request) => request,
                Err(error) => panic!("the host passed bytes that are no request: {error}"),
            };
            let hear = |service: &mut dyn StateroomService| service.request(&request).encode();
            answer = ROOM.with(|room| room.handle("request", hear));
        });
    }
    tell(Ok(answer))
}

/// What a service tells the host: its state, or its answer to a request, or why there is none. Valid until the next of them.
#[derive(Debug)]
#[repr(C)]
pub struct Told {
    /// 1 if the bytes are a reason, 0 if they are the state or the answer.
    pub failed: u32,
    /// Where the bytes are.
    pub pointer: *const u8,
    /// How many there are.
    pub length: usize,
    bytes: Vec<u8>,
}

// What follows is inline so that a module whose service is not carried over has nothing of it, down
// to the last byte.

thread_local! {
    static TOLD: RefCell<Option<Box<Told>>> = const { RefCell::new(None) };
}

#[inline]
fn tell(told: Result<Vec<u8>, String>) -> *const Told {
    let failed = u32::from(told.is_err());
    let bytes = told.unwrap_or_else(String::into_bytes);
    let told = Box::new(Told { failed, pointer: bytes.as_ptr(), length: bytes.len(), bytes });
    TOLD.with_borrow_mut(|kept| &raw const **kept.insert(told))
}

/// Tells the state of the service, which stays as it is. The pointer is valid until the next call of
/// this or of [`take_over`].
///
/// # Panics
/// As an event does.
#[must_use]
#[inline]
pub fn hand_over() -> *const Told {
    let state = ROOM.with(|room| room.handle("hand_over", |service| service.hand_over()));
    tell(match state {
        Some(state) => state.map_err(|failure| failure.detail),
        None => Err("the service does not carry its state over".to_owned()),
    })
}

/// Starts the room whose id is the `length` bytes at `room_id` with the state that another has told,
/// the `state_length` bytes at `state`. Null, or why it can't be; the room has not started then.
///
/// # Safety
/// As for `with_bytes`, for both.
///
/// # Panics
/// As [`initialize`].
#[inline]
pub unsafe fn take_over(
    take_over: TakeOver,
    room_id: *const u8,
    length: usize,
    state: *const u8,
    state_length: usize,
) -> *const Told {
    let mut refused = None;
    // SAFETY: the caller's promise.
    unsafe {
        with_bytes(room_id, length, |room_id| {
            let room_id = utf8(room_id, "a room id");
            with_bytes(state, state_length, |state| {
                let build = || take_over(room_id, state, Context::default());
                refused = ROOM.with(|room| room.start("take_over", build)).err();
            });
        });
    }
    refused.map_or(std::ptr::null(), |reason| tell(Err(reason)))
}

fn utf8<'a>(bytes: &'a [u8], what: &str) -> &'a str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => panic!("the host passed {what} that is not UTF-8: {error}"),
    }
}

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
            let capacity = length.max(lent.capacity().saturating_mul(2));
            // Dropped first, so that the old buffer and the new don't take memory together.
            *lent = Vec::new();
            lent.reserve_exact(capacity);
        }
        lent.as_mut_ptr()
    })
}

/// Hands `handle` the `length` bytes that the host passed at `pointer`, which may be anything when
/// `length` is 0. They can't be lent again until it returns.
///
/// # Safety
/// The bytes are initialised, inside one allocation, and nobody writes to them during the call.
unsafe fn with_bytes(pointer: *const u8, length: usize, handle: impl FnOnce(&[u8])) {
    LENT.with(|lent| {
        let _lent_no_more = lent.borrow();
        if length == 0 {
            return handle(&[]);
        }
        assert!(
            !pointer.is_null()
                && isize::try_from(length).is_ok()
                && pointer.addr().checked_add(length).is_some(),
            "the host passed {length} bytes at {pointer:p}, where no {length} bytes can be"
        );
        // SAFETY: not null, not too long and not past the end of all memory, checked above; the rest
        // is the caller's promise.
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
