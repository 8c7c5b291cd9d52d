//! What is saved of a room brings it back, and nothing else does.

use crate::support::{
    Asked, BIRTH, How, NO_BINARY, NO_TIMER, Recorder, Room, engine, guest, module,
};
use sha2::{Digest, Sha256};
use stateroom::{
    ClientId, CodeVersion, RestoreFailure, Sleep, StateroomService, StateroomServiceFactory,
};
use stateroom_wasm_host::{WasmHost, WasmHostFactory};
use std::time::Duration;

const ADA: ClientId = ClientId(1);

/// A room that counts in a global and in its memory, and whose timer sends both, the time, and
/// something random.
fn counting() -> String {
    module(
        r#"(import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "clock_time_get"
            (func $clock (param i32 i64 i32) (result i32)))"#,
        &format!(
            r#"(global $count (mut i32) (i32.const 1))
            (func (export "timer")
              (global.set $count (i32.mul (global.get $count) (i32.const 3)))
              (i32.store (i32.const 64) (global.get $count))
              (i32.store (i32.const 70000) (i32.add (i32.load (i32.const 70000)) (i32.const 1)))
              (i32.store (i32.const 68) (i32.load (i32.const 70000)))
              (drop (call $random (i32.const 72) (i32.const 8)))
              (drop (call $clock (i32.const 1) (i64.const 0) (i32.const 80)))
              (call $send (i32.const 1) (i32.const 64) (i32.const 24)))
            {NO_BINARY}"#
        ),
    )
}

fn load(text: &str) -> WasmHostFactory {
    engine(3).load_bytes("test", text.as_bytes()).unwrap()
}

fn restore(factory: &WasmHostFactory, bytes: &[u8]) -> Result<WasmHost, RestoreFailure> {
    factory.restore("lobby", Recorder::default(), bytes)
}

#[track_caller]
fn refused(factory: &WasmHostFactory, bytes: &[u8]) -> String {
    match restore(factory, bytes) {
        Err(RestoreFailure::Damaged(what)) => what,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it is accepted"),
    }
}

#[test]
fn a_saved_room_goes_on_as_it_would_have() {
    let factory = load(&counting());
    let mut straight = Room::start(&factory);
    let mut saved = Room::start(&factory);
    for (number, how) in [None, Some(How::Raw), Some(How::Compressed)].into_iter().enumerate() {
        for room in [&mut straight, &mut saved] {
            room.host.set_time(BIRTH.time + Duration::from_secs(number as u64));
            room.host.timer();
        }
        let before = saved.snapshot();
        let digest = saved.host.state_digest().unwrap();
        if let Some(how) = how {
            saved.sleep(how);
        }
        assert_eq!(saved.host.state_digest(), Some(digest), "awake or asleep");
        saved = saved.saved(&factory);
        assert!(saved.host.is_awake());
        assert!(saved.snapshot() == before, "{how:?}");
        assert_eq!(saved.host.state_digest(), Some(digest));
    }
    let sent = straight.take();
    assert_eq!(sent.len(), 3);
    assert_eq!(saved.take(), sent);
    assert_eq!(saved.host.state_digest(), straight.host.state_digest());
}

/// Neither the constructors nor `initialize` run again, which would count here.
#[test]
fn nothing_of_a_guest_runs_when_it_is_restored() {
    let text = module(
        "",
        &format!(
            r#"(func $trap unreachable) (func (export "_initialize")
             (if (i32.load (i32.const 64)) (then (call $trap)))
             (i32.store (i32.const 64) (i32.const 1)))
        {NO_BINARY} {NO_TIMER}"#
        ),
    );
    let factory = load(&text);
    let mut room = Room::start(&factory).saved(&factory);
    room.host.timer();
    assert_eq!(room.host.failure(), None);
    assert_eq!(room.take(), []);
}

#[test]
fn saving_leaves_a_room_as_it_is() {
    let mut room = Room::start(&load(&counting()));
    room.host.timer();
    let before = room.host.state_digest();
    assert_eq!(room.bytes(), room.bytes());
    assert_eq!(room.host.state_digest(), before);
    assert!(room.host.is_awake());
    room.sleep(How::Compressed);
    assert_eq!(room.bytes(), room.bytes());
    assert!(!room.host.is_awake());
}

/// The state is that of the moment when it was saved, whatever happens until it is encoded.
#[test]
fn what_happens_after_a_room_was_saved_is_not_saved() {
    let factory = load(&counting());
    let mut room = Room::start(&factory);
    room.host.timer();
    let (digest, state) = (room.host.state_digest(), room.host.save().unwrap());
    room.host.timer();
    drop(room);
    let bytes = std::thread::spawn(move || state.encode().unwrap()).join().unwrap();
    assert_eq!(restore(&factory, &bytes).unwrap().state_digest(), digest);
}

/// Each byte changed, and each cut, with the checksum as it was and made right again: a reason or a
/// room, which can hear something, and never a panic.
#[test]
fn no_bytes_whatever_bring_the_host_down() {
    let factory = load(&counting());
    let mut room = Room::start(&factory);
    room.host.timer();
    let bytes = room.bytes();
    assert!(bytes.len() < 400, "{} bytes", bytes.len());
    drop(room);
    let check = |mut changed: Vec<u8>, what: &str| {
        assert!(!refused(&factory, &changed).is_empty(), "{what}");
        let Some(end) = changed.len().checked_sub(8) else { return };
        let sum = Sha256::digest(&changed[..end]);
        changed[end..].copy_from_slice(&sum[..8]);
        match restore(&factory, &changed) {
            Ok(mut host) => {
                host.timer();
                host.message(ADA, "hello");
                assert!(host.failure().is_some() || matches!(host.sleep(), Sleep::Asleep(_)));
            }
            Err(RestoreFailure::Damaged(told)) => assert!(!told.is_empty()),
            Err(other) => panic!("{what}: {other}"),
        }
    };
    for length in 0..bytes.len() {
        check(bytes[..length].to_vec(), &format!("cut at {length}"));
    }
    for place in 0..bytes.len() {
        for flip in [1, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[place] ^= flip;
            check(changed, &format!("byte {place} ^ {flip}"));
        }
    }
    check([&bytes[..], &[0]].concat(), "longer");
    assert!(restore(&factory, &bytes).is_ok());
}

#[test]
fn the_state_of_another_module_is_refused_with_both_versions() {
    let [one, other] = ["1", "2"]
        .map(|number| counting().replace("i32.const 1)", &format!("i32.const {number})")));
    let (one, other) = (load(&one), load(&other));
    let told = refused(&other, &Room::start(&one).bytes());
    let version = |factory: &WasmHostFactory| {
        StateroomServiceFactory::<Recorder>::version(factory).unwrap().to_string()
    };
    assert_ne!(version(&one), version(&other));
    for version in [version(&one), version(&other)] {
        assert!(told.contains(&version), "{told}");
    }
}

#[test]
fn a_state_of_another_format_is_refused_with_what_to_do() {
    let factory = load(&counting());
    let mut bytes = Room::start(&factory).bytes();
    bytes[0] = 1;
    let told = refused(&factory, &bytes);
    assert!(told.contains("format 1, and this host reads format 2"), "{told}");
    assert!(told.contains("with the version that has saved it"), "{told}");
}

#[test]
fn a_version_is_the_sha_256_of_the_file() {
    let text = counting();
    let version = StateroomServiceFactory::<Recorder>::version(&load(&text)).unwrap();
    assert_eq!(version, CodeVersion(Sha256::digest(text.as_bytes()).into()));
}

#[test]
fn rooms_that_cannot_sleep_cannot_be_saved_and_say_why() {
    let table = "(table 2 funcref) (func (table.set (i32.const 0) (ref.null func)))";
    let factory = load(&module("", &format!("{table} {NO_BINARY} {NO_TIMER}")));
    let told = StateroomServiceFactory::<Recorder>::version(&factory).unwrap_err();
    assert!(told.contains("`table.set`"), "{told}");
    let mut room = Room::start(&factory);
    assert!(room.host.save().is_none());
    assert!(room.host.state_digest().is_none());
    assert_eq!(restore(&factory, &[1]).err(), Some(RestoreFailure::Unsupported));
}

#[test]
fn a_failed_room_has_nothing_to_save() {
    let text = module("", &format!(r#"(func (export "timer") unreachable) {NO_BINARY}"#));
    let mut room = Room::start(&load(&text));
    room.host.timer();
    assert!(room.host.save().is_none());
    assert!(room.host.state_digest().is_none());
}

#[test]
fn a_room_finds_no_place_while_all_are_taken() {
    let factory = engine(1).load_bytes("test", counting().as_bytes()).unwrap();
    let mut room = Room::start(&factory);
    let bytes = room.bytes();
    assert_eq!(restore(&factory, &bytes).err(), Some(RestoreFailure::Full));
    room.sleep(How::Raw);
    let restored = restore(&factory, &bytes).unwrap();
    assert!(!room.host.wake());
    drop(restored);
    // One that can't be used takes no place.
    refused(&factory, &bytes[1..]);
    assert!(room.host.wake());
}

/// A few bytes that would take more memory than any room may have when they are decompressed.
#[test]
fn a_state_that_lies_about_its_length_is_refused() {
    let factory = load(&counting());
    let bytes = Room::start(&factory).bytes();
    // Before the compressed snapshot and its length; see the table in `saved_state.rs`.
    let place = 1 + 32 + 12 + 32 + 12 + 1 + 16 + 16 + 2 * 12;
    for length in [u64::MAX, 1 << 40, 100 << 20, 1, 0] {
        let mut lying = bytes.clone();
        lying[place..place + 8].copy_from_slice(&length.to_le_bytes());
        let end = lying.len() - 8;
        let sum = Sha256::digest(&lying[..end]);
        lying[end..].copy_from_slice(&sum[..8]);
        refused(&factory, &lying);
    }
}

#[test]
fn a_chat_is_saved_in_less_than_four_kilobytes() {
    let factory = engine(2).load(guest("chat")).unwrap();
    let mut room = Room::start(&factory);
    room.host.connect(ADA);
    room.host.message(ADA, r#"{"type":"join","name":"Ada"}"#);
    for number in 0..20 {
        let text = format!(r#"{{"type":"say","text":"This is what I have to say, {number}."}}"#);
        room.host.message(ADA, &text);
    }
    let bytes = room.bytes();
    assert!(bytes.len() < 4 << 10, "{} bytes", bytes.len());
    let mut room = room.saved(&factory);
    room.take();
    room.host.connect(ClientId(2));
    let [Asked::Text(_, welcome)] = &room.take()[..] else { panic!("one text") };
    assert!(welcome.contains("what I have to say, 19."), "{welcome}");
}
