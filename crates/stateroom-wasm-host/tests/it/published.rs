//! Modules that were built with the published crates run unchanged, as `modules/README.md` says.

use crate::support::{ADA, Asked, Room, binary, check_told, engine, text};
use stateroom::{
    ClientId,
    MessageRecipient::{Broadcast, EveryoneExcept},
    StateroomService,
};
use stateroom_wasm_host::Limits;
use std::path::Path;

pub(crate) const BOTH_OF_0_2: [&str; 2] = ["published_0_2", "published_0_2_null_malloc"];
pub(crate) const BOTH_OF_0_4: [&str; 2] = ["published_0_4", "published_0_4_null_malloc"];
pub(crate) const ALL: [&str; 4] = [BOTH_OF_0_2[0], BOTH_OF_0_2[1], BOTH_OF_0_4[0], BOTH_OF_0_4[1]];

#[track_caller]
pub(crate) fn start_module(name: &str, limits: Limits) -> Room {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/modules").join(name);
    Room::start(&engine(limits).load(path.with_extension("wasm")).unwrap())
}

/// Does the same with a room of each module.
#[track_caller]
fn check_each(modules: &[&str], check: impl Fn(&str, Room)) {
    for name in modules {
        check(name, start_module(name, Limits::default()));
    }
}

#[test]
fn who_comes_and_goes_is_told_to_everyone() {
    check_each(&ALL, |name, mut room| {
        room.host.connect(ADA);
        assert_eq!(room.take(), [text(Broadcast, "joined 1")], "{name}");
        room.host.disconnect(ClientId(2));
        assert_eq!(room.take(), [text(Broadcast, "left 2")], "{name}");
    });
}

#[test]
fn text_and_binary_are_echoed() {
    check_each(&ALL, |name, mut room| {
        assert_eq!(room.say("hello, wörld"), [text(ADA, "hello, wörld")], "{name}");
        room.host.binary(ADA, &[0, 255, 128]);
        assert_eq!(room.take(), [binary(ADA, &[0, 255, 128])], "{name}");
    });
}

#[test]
fn everyone_and_the_others_are_reached() {
    check_each(&ALL, |name, mut room| {
        assert_eq!(room.say("all:hi"), [text(Broadcast, "hi")], "{name}");
        assert_eq!(room.say("others:hi"), [text(EveryoneExcept(ADA), "hi")], "{name}");
    });
}

#[test]
fn a_timer_is_set_and_fires() {
    check_each(&ALL, |name, mut room| {
        assert_eq!(room.say("timer:1500"), [Asked::Timer(1500)], "{name}");
        assert_eq!(room.fire(), [text(Broadcast, "timer")], "{name}");
    });
}

#[test]
fn a_timer_of_0_cancels_in_0_2() {
    check_each(&BOTH_OF_0_2, |_, mut room| assert_eq!(room.say("timer:0"), [Asked::Timer(0)]));
}

#[test]
fn a_timer_of_0_fires_at_once_in_0_4() {
    check_each(&BOTH_OF_0_4, |_, mut room| assert_eq!(room.say("timer:0"), [Asked::Timer(1)]));
}

#[test]
fn clients_of_any_number_can_be_answered_in_0_4() {
    check_each(&BOTH_OF_0_4, |name, mut room| {
        for client in [0, 1 << 31, u32::MAX].map(ClientId) {
            room.host.message(client, "hi");
            assert_eq!(room.take(), [text(client, "hi")], "{name}");
        }
    });
}

#[test]
fn empty_messages_are_echoed_in_0_4() {
    check_each(&BOTH_OF_0_4, |name, mut room| {
        assert_eq!(room.say(""), [text(ADA, "")], "{name}");
        room.host.binary(ADA, b"");
        assert_eq!(room.take(), [binary(ADA, b"")], "{name}");
    });
}

#[test]
fn empty_messages_are_heard_in_0_2_whose_services_cannot_send_them() {
    check_each(&BOTH_OF_0_2, |_, mut room| {
        room.host.message(ADA, "");
        let failure = room.host.failure().expect("the guest panics");
        check_told(failure, "room failed: an error in its service", &["index out of bounds"]);
    });
}

#[test]
fn large_messages_are_echoed() {
    check_each(&ALL, |name, mut room| {
        let large = "0123456789".repeat(30_000);
        for _ in 0..10 {
            assert_eq!(room.say(&large), [text(ADA, &large)], "{name}");
            room.host.binary(ADA, large.as_bytes());
            assert_eq!(room.take(), [binary(ADA, large.as_bytes())], "{name}");
            assert_eq!(room.say("small"), [text(ADA, "small")], "{name}");
        }
    });
}

#[test]
fn many_messages_are_echoed() {
    check_each(&ALL, |name, mut room| {
        for number in 0..5_000_usize {
            let said = format!("{number} {}", "x".repeat(number % 200));
            assert_eq!(room.say(&said), [text(ADA, &said)], "{name}");
        }
    });
}

#[test]
fn a_message_that_does_not_fit_into_memory_is_out_of_memory_and_lies_nowhere() {
    let limits = Limits { memory_bytes: 2 << 20, ..Limits::default() };
    for name in [BOTH_OF_0_2[0], BOTH_OF_0_4[0]] {
        let mut room = start_module(name, limits.clone());
        room.host.message(ADA, &"x".repeat(100_000));
        assert_eq!(room.host.failure(), None, "{name}");
        room.host.message(ADA, &"x".repeat(4 << 20));
        let failure = room.host.failure().expect(name);
        check_told(failure, "room failed: out of memory", &["had no 41943"]);
    }
}

#[test]
fn a_message_too_large_for_the_place_of_those_that_allocate_nothing_is_refused() {
    check_each(&["published_0_2_null_malloc", "published_0_4_null_malloc"], |name, mut room| {
        room.host.message(ADA, &"x".repeat(600 << 10));
        let failure = room.host.failure().expect(name);
        check_told(failure, "room failed: an error in its service", &["had no 6144"]);
    });
}

#[test]
fn a_panic_is_told_with_its_message_and_place() {
    for name in ALL {
        let (failure, log) = crate::log::logged(|| {
            let mut room = start_module(name, Limits::default());
            room.host.message(ADA, "timer:soon");
            room.host.failure().expect(name).clone()
        });
        let told = ["panicked at", "lib.rs:", "a number of milliseconds after `timer:`"];
        check_told(&failure, "room failed: an error in its service", &told);
        assert!(!failure.detail.contains("RUST_BACKTRACE"), "{failure}");
        let log = log.join("\n");
        for told in told.iter().chain(&["WARN guest: ", "room=lobby"]) {
            assert!(log.contains(told), "{name}: {told} in {log}");
        }
    }
}
