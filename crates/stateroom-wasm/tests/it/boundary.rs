//! The guest's side of the boundary, called as a host calls it, and as a careless host might.
//!
//! A test's thread has a room of its own, as a module has.

#![allow(unsafe_code)]

use crate::boundary::Heard::{Binary, Connect, Disconnect, Message, Start, Timer};
use stateroom_wasm::boundary;
use stateroom_wasm::prelude::*;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

#[derive(Debug, PartialEq)]
enum Heard {
    Start(String),
    Connect(u32),
    Disconnect(u32),
    Message(u32, String),
    Binary(u32, Vec<u8>),
    Timer,
}

thread_local! {
    static HEARD: RefCell<Vec<Heard>> = const { RefCell::new(Vec::new()) };
    /// What a host does from within an import, while the service handles a timer.
    static DURING_TIMER: Cell<fn()> = const { Cell::new(|| ()) };
}

fn hear(heard: Heard) {
    HEARD.with_borrow_mut(|all| all.push(heard));
}

struct Recorder;

impl SimpleStateroomService for Recorder {
    fn new(room_id: &str, _: &impl StateroomContext) -> Self {
        hear(Start(room_id.to_owned()));
        Recorder
    }

    fn connect(&mut self, client: ClientId, _: &impl StateroomContext) {
        hear(Connect(client.0));
    }

    fn disconnect(&mut self, client: ClientId, _: &impl StateroomContext) {
        hear(Disconnect(client.0));
    }

    fn message(&mut self, client: ClientId, message: &str, _: &impl StateroomContext) {
        hear(Message(client.0, message.to_owned()));
    }

    fn binary(&mut self, client: ClientId, message: &[u8], _: &impl StateroomContext) {
        hear(Binary(client.0, message.to_owned()));
    }

    fn timer(&mut self, _: &impl StateroomContext) {
        hear(Timer);
        DURING_TIMER.get()();
    }
}

fn initialize(room_id: &[u8]) {
    // SAFETY: the pointer and the length are those of a live slice.
    unsafe {
        boundary::initialize(boundary::build::<Recorder, _>, room_id.as_ptr(), room_id.len());
    }
}

/// A room that has started; what it heard of that is forgotten.
fn started() {
    initialize(b"room");
    HEARD.take();
}

fn message(client: u32, message: &[u8]) {
    // SAFETY: the pointer and the length are those of a live slice.
    unsafe { boundary::message(client, message.as_ptr(), message.len()) }
}

fn binary(client: u32, message: &[u8]) {
    // SAFETY: the pointer and the length are those of a live slice.
    unsafe { boundary::binary(client, message.as_ptr(), message.len()) }
}

/// With what words `call` panics.
fn panic_of(call: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(call)).expect_err("this should panic");
    match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(panic) => (*panic.downcast::<&str>().expect("a message")).to_owned(),
    }
}

#[test]
fn every_event_is_heard_in_order() {
    initialize("räum".as_bytes());
    boundary::connect(1);
    message(1, "grüße".as_bytes());
    binary(2, &[0, 255]);
    boundary::timer();
    boundary::disconnect(u32::MAX);
    assert_eq!(
        HEARD.take(),
        [
            Start("räum".into()),
            Connect(1),
            Message(1, "grüße".into()),
            Binary(2, vec![0, 255]),
            Timer,
            Disconnect(u32::MAX),
        ]
    );
}

#[test]
fn nothing_may_be_anywhere() {
    for nowhere in [ptr::null(), ptr::dangling(), ptr::without_provenance(usize::MAX)] {
        // SAFETY: where there is no byte, none is read.
        unsafe {
            boundary::initialize(boundary::build::<Recorder, _>, nowhere, 0);
            boundary::message(1, nowhere, 0);
            boundary::binary(1, nowhere, 0);
        }
        assert_eq!(
            HEARD.take(),
            [Start(String::new()), Message(1, String::new()), Binary(1, Vec::new())]
        );
    }
}

#[test]
fn bytes_where_none_can_be_are_refused_before_they_are_read() {
    started();
    let byte: *const u8 = &0;
    let at_the_end = ptr::without_provenance(usize::MAX - 1);
    for (pointer, length) in [(ptr::null(), 1), (byte, usize::MAX), (at_the_end, 4)] {
        // SAFETY: not kept to, and the call says so instead of reading.
        let panic = panic_of(|| unsafe { boundary::binary(1, pointer, length) });
        assert!(panic.contains(&format!("passed {length} bytes")), "{panic}");
    }
    assert_eq!(HEARD.take(), []);
}

#[test]
fn a_room_id_that_is_no_text_is_refused_and_the_room_goes_on() {
    started();
    assert!(panic_of(|| initialize(&[0xff])).contains("a room id that is not UTF-8"));
    // A character must not be cut in two.
    assert!(panic_of(|| initialize(&"ß".as_bytes()[..1])).contains("not UTF-8"));
    binary(1, &[0xff]);
    assert_eq!(HEARD.take(), [Binary(1, vec![0xff])]);
}

#[test]
fn an_event_before_the_start_is_refused() {
    assert!(panic_of(|| boundary::connect(1)).contains("`connect` before `initialize`"));
    assert!(panic_of(|| boundary::disconnect(1)).contains("`disconnect` before `initialize`"));
    assert!(panic_of(|| message(1, b"")).contains("`message` before `initialize`"));
    assert!(panic_of(|| binary(1, b"")).contains("`binary` before `initialize`"));
    assert!(panic_of(boundary::timer).contains("`timer` before `initialize`"));
}

#[test]
fn a_call_in_the_middle_of_an_event_is_caught() {
    let calls: [(fn(), &str); 6] = [
        (|| boundary::connect(1), "`connect`"),
        (|| boundary::disconnect(1), "`disconnect`"),
        (boundary::timer, "`timer`"),
        (|| message(1, b"text"), "`message`"),
        (|| binary(1, b"bytes"), "`binary`"),
        (|| initialize(b"room"), "`initialize`"),
    ];
    started();
    for (call, name) in calls {
        DURING_TIMER.set(call);
        let panic = panic_of(boundary::timer);
        assert!(panic.contains(&format!("called {name} in the middle of a")), "{panic}");
        assert_eq!(HEARD.take(), [Timer], "{name}");
    }
}

/// The service holds a `&str` into that buffer, which must not move or be written to meanwhile.
#[test]
fn the_buffer_is_not_lent_while_a_payload_may_lie_in_it() {
    struct Greedy;
    impl SimpleStateroomService for Greedy {
        fn new(_: &str, _: &impl StateroomContext) -> Self {
            Greedy
        }
        fn message(&mut self, _: ClientId, message: &str, _: &impl StateroomContext) {
            let panic = panic_of(|| _ = boundary::lend_buffer(1 << 20));
            assert!(panic.contains("asked for the buffer in the middle of an event"), "{panic}");
            // Other memory can be had: a host may keep a payload for later.
            let other = boundary::allocate(message.len());
            // SAFETY: allocated above, with this size.
            unsafe { boundary::free(other, message.len()) }
            assert_eq!(message, "in the buffer");
            hear(Timer);
        }
    }

    // SAFETY: no byte is read.
    unsafe { boundary::initialize(boundary::build::<Greedy, _>, ptr::null(), 0) }
    pass_in_buffer(b"in the buffer", |pointer, length| {
        // SAFETY: `length` bytes were written there.
        unsafe { boundary::message(1, pointer, length) }
    });
    assert_eq!(HEARD.take(), [Timer]);
}

/// Passes `payload` as a host does that knows `stateroom_v1_buffer`.
fn pass_in_buffer(payload: &[u8], call: impl FnOnce(*const u8, usize)) {
    let buffer = boundary::lend_buffer(payload.len());
    // SAFETY: at least as many bytes were lent, and they overlap nothing else.
    unsafe { ptr::copy_nonoverlapping(payload.as_ptr(), buffer, payload.len()) }
    call(buffer, payload.len());
}

#[test]
fn the_lent_buffer_carries_payloads_of_every_size_and_only_grows() {
    started();
    for length in [0, 1, 7, 64, 3, 4096, 0, 100_000, 4096] {
        let payload: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        pass_in_buffer(&payload, |pointer, length| {
            // SAFETY: `length` bytes were written there.
            unsafe { boundary::binary(1, pointer, length) }
        });
        assert_eq!(HEARD.take(), [Binary(1, payload)]);
    }

    let buffer = boundary::lend_buffer(100_000);
    assert_eq!(boundary::lend_buffer(1), buffer);
    assert_eq!(boundary::lend_buffer(100_000), buffer);
}

#[test]
fn memory_for_the_host_is_its_own_until_freed() {
    let sizes = [1, 2, 3, 8, 1000];
    let blocks = sizes.map(|size| {
        let block = boundary::allocate(size);
        assert!(!block.is_null());
        // SAFETY: `size` bytes were allocated there.
        unsafe { block.write_bytes(size as u8, size) }
        (block, size)
    });
    for (block, size) in blocks {
        // SAFETY: allocated and written above, and freed once.
        unsafe {
            assert!(std::slice::from_raw_parts(block, size).iter().all(|byte| *byte == size as u8));
            boundary::free(block, size);
        }
    }
}

#[test]
fn no_memory_at_all_can_be_had_and_freed() {
    let nothing = boundary::allocate(0);
    assert!(!nothing.is_null());
    // SAFETY: allocated above; and what the published modules give out for 0 bytes is null.
    unsafe {
        boundary::free(nothing, 0);
        boundary::free(ptr::null_mut(), 0);
    }
}

#[test]
fn more_memory_than_an_allocation_can_have_is_refused() {
    let panic = panic_of(|| _ = boundary::allocate(usize::MAX));
    assert!(panic.contains("more than an allocation can have"), "{panic}");
    assert!(panic_of(|| _ = boundary::lend_buffer(usize::MAX)).contains("capacity overflow"));
    // What was asked for in vain leaves the buffer as it can be used.
    started();
    pass_in_buffer(b"still lent", |pointer, length| {
        // SAFETY: `length` bytes were written there.
        unsafe { boundary::message(1, pointer, length) }
    });
    assert_eq!(HEARD.take(), [Message(1, "still lent".into())]);
}

#[test]
fn a_room_can_be_started_afresh() {
    started();
    boundary::connect(1);
    initialize(b"other");
    boundary::connect(1);
    assert_eq!(HEARD.take(), [Connect(1), Start("other".into()), Connect(1)]);
}

/// A service that is carried over: what it was told last, unless that can't be told as JSON.
#[derive(serde::Serialize, serde::Deserialize)]
struct Carried {
    last: String,
    /// Keys of JSON are text, so it can be told only while it is empty.
    untellable: std::collections::BTreeMap<Vec<u8>, u8>,
}

impl SimpleStateroomService for Carried {
    fn new(_: &str, _: &impl StateroomContext) -> Self {
        Carried { last: "nothing".into(), untellable: [].into() }
    }

    fn message(&mut self, _: ClientId, message: &str, _: &impl StateroomContext) {
        message.clone_into(&mut self.last);
    }

    fn timer(&mut self, _: &impl StateroomContext) {
        self.untellable.insert(vec![1], 1);
    }
}

const CARRIED: boundary::CarriedOver = boundary::carried_over::<Carried>();

/// Whether it is a reason, and what is told.
fn told(told: *const boundary::Told) -> Option<(bool, String)> {
    // SAFETY: null, or valid until the next call that tells.
    let told = unsafe { told.as_ref()? };
    // SAFETY: the bytes are what is told.
    let bytes = unsafe { std::slice::from_raw_parts(told.pointer, told.length) };
    Some((told.failed == 1, String::from_utf8(bytes.to_vec()).unwrap()))
}

fn take_over(state: &[u8]) -> Option<(bool, String)> {
    // SAFETY: the pointers and the lengths are those of live slices.
    told(unsafe {
        boundary::take_over(CARRIED.take_over, b"room".as_ptr(), 4, state.as_ptr(), state.len())
    })
}

fn start_carried() {
    // SAFETY: no byte is read.
    unsafe { boundary::initialize(CARRIED.build, ptr::null(), 0) }
}

#[test]
fn a_state_is_told_and_taken_over() {
    start_carried();
    message(1, b"hello");
    let state = r#"{"last":"hello","untellable":{}}"#;
    for _ in 0..2 {
        assert_eq!(told(boundary::hand_over()), Some((false, state.into())));
    }
    start_carried();
    assert_eq!(take_over(state.as_bytes()), None);
    assert_eq!(told(boundary::hand_over()), Some((false, state.into())));
    message(1, b"again");
    assert!(told(boundary::hand_over()).unwrap().1.contains("again"));
}

#[test]
fn a_state_that_does_not_fit_is_refused_with_the_reason() {
    for (state, reason) in [
        (&b"{}"[..], "missing field `last`: if it is new, write #[serde(default)] above it; if it"),
        (b"{}", "; the old state has no fields"),
        (
            b"{\"text\":\"\",\"untellable\":{}}",
            "#[serde(alias = \"old_name\")]; the old state has the fields `text`, `untellable` (docs/rooms.md",
        ),
        (b"", "EOF while parsing"),
        (b"{\"last\":1}", "invalid type: integer `1`, expected a string"),
        (b"\xff", "expected value"),
    ] {
        let (failed, told) = take_over(state).unwrap();
        assert!(failed);
        assert!(told.contains(reason), "{told}");
        let panic = panic_of(|| boundary::connect(1));
        assert!(panic.contains("`connect` before `initialize`"), "no room has started: {panic}");
    }
}

#[test]
fn a_state_that_is_no_json_is_refused_with_the_reason_and_the_room_goes_on() {
    start_carried();
    boundary::timer();
    let (failed, told) = told(boundary::hand_over()).unwrap();
    assert!(failed);
    assert!(told.contains("key must be a string"), "{told}");
    boundary::connect(1);
}

#[test]
fn a_service_that_has_not_opted_in_says_so() {
    started();
    let (failed, told) = told(boundary::hand_over()).unwrap();
    assert!(failed);
    assert!(told.contains("does not carry its state over"), "{told}");
}
