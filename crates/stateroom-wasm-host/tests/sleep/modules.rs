//! What a module's state can be made of, piece by piece.

use crate::support::{Asked, How, NO_BINARY, NO_TIMER, Room, engine, module};
use stateroom::{ClientId, MessageRecipient, Sleep, StateroomService};
use stateroom_wasm_host::{CannotSleep, HostConfig, WasmEngine};

const ADA: ClientId = ClientId(1);

/// Lets a room hear `event` twice, sleeping between, and gives all it asked for.
#[track_caller]
fn slept(text: &str, how: How, event: impl Fn(&mut Room)) -> Vec<Asked> {
    let factory = engine(4).load_bytes("test", text.as_bytes()).unwrap();
    factory.can_sleep().unwrap();
    let (mut sleeper, mut other) = (Room::start(&factory), Room::start(&factory));
    for _ in 0..3 {
        event(&mut sleeper);
        event(&mut other);
        let before = sleeper.snapshot();
        sleeper.sleep(how);
        assert!(sleeper.snapshot() == before, "a state has to come through sleep unharmed");
        assert!(sleeper.host.wake());
        assert!(sleeper.snapshot() == before, "and through waking");
    }
    let asked = sleeper.take();
    assert_eq!(asked, other.take());
    assert!(sleeper.snapshot() == other.snapshot(), "who slept is as who did not");
    asked
}

fn binary(recipient: u32, bytes: &[u8]) -> Asked {
    Asked::Binary(MessageRecipient::Client(ClientId(recipient)), bytes.into())
}

/// Globals that no one else can reach, of every number type, with bits that arithmetic would change.
#[test]
fn globals_keep_every_bit() {
    let text = module(
        "",
        &format!(
            r#"(global $a (mut i32) (i32.const -1))
            (global $b (mut i64) (i64.const 0x8000000000000001))
            (global $c (mut f32) (f32.const nan:0x200001))
            (global $d (mut f64) (f64.const -nan:0x4000000000001))
            (global $e (export "shown") (mut v128) (v128.const i64x2 -1 7))
            (func (export "timer")
              (i32.store (i32.const 64) (global.get $a))
              (i64.store (i32.const 68) (global.get $b))
              (f32.store (i32.const 76) (global.get $c))
              (f64.store (i32.const 80) (global.get $d))
              (v128.store (i32.const 88) (global.get $e))
              (call $send (i32.const 1) (i32.const 64) (i32.const 40))
              (global.set $a (i32.add (global.get $a) (i32.const 1)))
              (global.set $b (i64.add (global.get $b) (i64.const 1)))
              (global.set $c (f32.reinterpret_i32 (i32.const 0x7fa00000)))
              (global.set $d (f64.reinterpret_i64 (i64.const 0x7ff4000000000000)))
              (global.set $e (v128.not (global.get $e))))
            {NO_BINARY}"#
        ),
    );
    for how in [How::Raw, How::Compressed] {
        let asked = slept(&text, how, |room| room.host.timer());
        let bytes = |a: i32, b: u64, c: u32, d: u64, e: [u64; 2]| {
            let [low, high] = e.map(u64::to_le_bytes);
            binary(
                1,
                &[
                    &a.to_le_bytes()[..],
                    &b.to_le_bytes(),
                    &c.to_le_bytes(),
                    &d.to_le_bytes(),
                    &low,
                    &high,
                ]
                .concat(),
            )
        };
        let (c, d) = (0x7fa0_0000, 0x7ff4_0000_0000_0000);
        let first = bytes(-1, 1 << 63 | 1, 0x7fa0_0001, 0xfff4_0000_0000_0001, [u64::MAX, 7]);
        let second = bytes(0, 1 << 63 | 2, c, d, [0, !7]);
        let third = bytes(1, 1 << 63 | 3, c, d, [u64::MAX, 7]);
        assert_eq!(asked, [first, second, third]);
    }
}

#[test]
fn memory_that_has_grown_is_there_again() {
    let text = module(
        "",
        &format!(
            r#"(func (export "timer") (local $old i32)
              (local.set $old (memory.grow (i32.const 3)))
              (i32.store (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 4))
                (local.get $old))
              (i32.store (i32.const 64) (memory.size))
              (call $send (i32.const 1) (i32.const 64) (i32.const 4)))
            {NO_BINARY}"#
        ),
    );
    for how in [How::Raw, How::Compressed] {
        let asked = slept(&text, how, |room| room.host.timer());
        assert_eq!(asked, [5_u32, 8, 11].map(|size| binary(1, &size.to_le_bytes())));
    }
}

/// A page is given back to zeroes, and one of the image to what it was: neither is kept.
#[test]
fn what_is_as_it_was_is_not_kept() {
    let text = module(
        "",
        &format!(
            r#"(func (export "timer")
              (i32.store (i32.const 70000) (i32.const 7)) (i32.store (i32.const 70000) (i32.const 0))
              (i32.store (i32.const 8) (i32.const 2)) (i32.store (i32.const 8) (i32.const 1)))
            {NO_BINARY}"#
        ),
    );
    let factory = engine(2).load_bytes("test", text.as_bytes()).unwrap();
    let mut room = Room::start(&factory);
    let before = room.snapshot();
    room.host.timer();
    assert!(room.snapshot() == before);
}

/// The start function and `_initialize` run once in a room's life, in this order.
#[test]
fn a_start_function_runs_once() {
    let text = module(
        "",
        &format!(
            r#"(func $start (i32.store8 (i32.const 64) (i32.add (i32.load8_u (i32.const 64)) (i32.const 1))))
            (start $start)
            (func (export "_initialize")
              (i32.store8 (i32.const 65) (i32.add (i32.load8_u (i32.const 65)) (i32.load8_u (i32.const 64)))))
            (func (export "timer") (call $send (i32.const 1) (i32.const 64) (i32.const 2)))
            {NO_BINARY}"#
        ),
    );
    let asked = slept(&text, How::Raw, |room| room.host.timer());
    assert_eq!(asked, vec![binary(1, &[1, 1]); 3]);
}

/// A buffer that the guest has lent stays lent: asked anew, this guest would lend another.
#[test]
fn a_lent_buffer_is_not_asked_for_again() {
    let text = module(
        "",
        &format!(
            r#"(global $next (mut i32) (i32.const 4096))
            (func (export "stateroom_v1_buffer") (param i32) (result i32)
              (global.set $next (i32.add (global.get $next) (i32.const 4096)))
              (global.get $next))
            (func (export "binary") (param $client i32) (param $pointer i32) (param $length i32)
              (i32.store (i32.const 64) (local.get $pointer))
              (call $send (local.get $client) (i32.const 64) (i32.const 4)))
            {NO_TIMER}"#
        ),
    );
    for how in [How::Raw, How::Compressed] {
        let asked = slept(&text, how, |room| room.host.binary(ADA, b"payload"));
        assert_eq!(asked, vec![binary(1, &8192_u32.to_le_bytes()); 3]);
    }
}

/// A passive segment that is only read from is in the module, and needs no keeping.
#[test]
fn passive_data_that_is_never_dropped_can_be_read_again() {
    let text = module(
        "",
        &format!(
            r#"(data $passive "again")
            (func (export "timer")
              (memory.init $passive (i32.const 64) (i32.const 0) (i32.const 5))
              (call $send (i32.const 1) (i32.const 64) (i32.const 5))
              (memory.fill (i32.const 64) (i32.const 0) (i32.const 5)))
            {NO_BINARY}"#
        ),
    );
    let asked = slept(&text, How::Raw, |room| room.host.timer());
    assert_eq!(asked, vec![binary(1, b"again"); 3]);
}

/// Machine code tells all that the module told.
#[test]
fn a_precompiled_module_sleeps_as_well() {
    let source = module("", &format!("(global (mut i32) (i32.const 1)) {NO_BINARY} {NO_TIMER}"));
    let restless = module(
        "",
        &format!(
            "(table 1 funcref) (func (table.set (i32.const 0) (ref.null func))) {NO_BINARY} {NO_TIMER}"
        ),
    );
    let config =
        HostConfig { max_rooms: Some(2), trust_precompiled: true, ..HostConfig::default() };
    let engine = WasmEngine::new(config).unwrap();
    let load = |text: &str| {
        let code = engine.precompile(text.as_bytes()).unwrap();
        engine.load_bytes("test", &code).unwrap()
    };
    let factory = load(&source);
    let mut room = Room::start(&factory);
    let before = room.snapshot();
    room.sleep(How::Compressed);
    assert!(room.host.wake());
    assert!(room.snapshot() == before);

    let factory = load(&restless);
    assert_eq!(factory.can_sleep(), Err(CannotSleep::TableSet));
    assert!(matches!(Room::start(&factory).host.sleep(), Sleep::StaysAwake));
}
