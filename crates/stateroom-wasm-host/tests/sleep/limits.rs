//! The limits that a room can see are part of it, whatever the settings say today; and what it has
//! heard once it can hear again.

use crate::support::{Asked, BIRTH, How, NO_BINARY, NO_TIMER, Recorder, Room, module};
use stateroom::{
    Birth, ClientId, MemoryLimits, MessageRecipient, ServiceFailure, Sleep, StateroomService,
    StateroomServiceFactory,
};
use stateroom_wasm_host::{HostConfig, Limits, WasmEngine, WasmHost, WasmHostFactory};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

const ADA: ClientId = ClientId(1);
const PAGE: u64 = 64 << 10;

/// A factory in an engine of its own.
fn factory(text: &str, config: HostConfig) -> WasmHostFactory {
    let config = HostConfig { max_rooms: Some(2), ..config };
    WasmEngine::new(config).unwrap().load_bytes("test", text.as_bytes()).unwrap()
}

fn with(limits: Limits) -> HostConfig {
    HostConfig { limits, ..HostConfig::default() }
}

fn with_pages(pages: u64) -> HostConfig {
    let memory_bytes = usize::try_from(pages * PAGE).unwrap();
    with(Limits { memory_bytes, ..Limits::default() })
}

/// Its memory starts with 2 pages, and each time the timer fires it asks for 4 more and sends what
/// it was told.
fn growing() -> String {
    let timer = r#"(func (export "timer")
        (i32.store (i32.const 64) (memory.grow (i32.const 4)))
        (call $send (i32.const 1) (i32.const 64) (i32.const 4)))"#;
    module("", &format!("{timer} {NO_BINARY}"))
}

fn pages(pages: u64) -> MemoryLimits {
    MemoryLimits { memory_bytes: pages * PAGE, table_elements: 100 }
}

fn born(factory: &WasmHostFactory, limits: MemoryLimits) -> (WasmHost, Recorder) {
    let asked = Recorder::default();
    let host = factory.build_at("lobby", asked.clone(), &Birth { limits, ..BIRTH }).unwrap();
    (host, asked)
}

/// What a room that grows is told each time.
fn told(answers: &[i32]) -> Vec<Asked> {
    let told =
        |answer: &i32| Asked::Binary(MessageRecipient::Client(ADA), answer.to_le_bytes().into());
    answers.iter().map(told).collect()
}

/// Lives a life in which the limits change, and moves the room to the next factory before each event.
fn live(factories: &[&WasmHostFactory]) -> (Vec<Asked>, [u8; 32]) {
    let mut factories = factories.iter().cycle();
    let (mut host, asked) = born(factories.next().unwrap(), pages(10));
    for limits in
        [None, None, None, Some(pages(14)), None, Some(pages(1)), None, Some(pages(20)), None]
    {
        let bytes = host.save().unwrap().encode().unwrap();
        let digest = host.state_digest().unwrap();
        drop(host);
        host = factories.next().unwrap().restore("lobby", asked.clone(), &bytes).unwrap();
        assert_eq!(host.state_digest(), Some(digest));
        assert_eq!(host.save().unwrap().encode().unwrap(), bytes, "bit by bit");
        match limits {
            Some(limits) => host.set_limits(limits),
            None => host.timer(),
        }
        assert_eq!(host.failure(), None);
    }
    (asked.take(), host.state_digest().unwrap())
}

#[test]
fn a_room_keeps_its_limits_whatever_the_settings_say() {
    let text = growing();
    let usual = factory(&text, HostConfig::default());
    let (small, large) = (factory(&text, with_pages(2)), factory(&text, with_pages(60_000)));
    let straight = live(&[&usual]);
    // Two growths fit, the third is refused; one fits under more; none under less; one under more.
    assert_eq!(straight.0, told(&[2, 6, -1, 10, -1, 14]));
    assert_eq!(live(&[&small]), straight);
    assert_eq!(live(&[&large]), straight);
    assert_eq!(live(&[&small, &large, &usual]), straight);
}

#[test]
fn a_room_that_has_more_memory_than_it_may_keeps_it_awake_and_asleep() {
    let factory = factory(&growing(), with_pages(2));
    let (mut host, asked) = born(&factory, pages(10));
    host.timer();
    host.set_limits(pages(1));
    let digest = host.state_digest();
    assert!(matches!(host.sleep(), Sleep::Asleep(_)));
    assert!(host.wake());
    assert_eq!(host.state_digest(), digest);
    host.timer();
    assert!(matches!(host.sleep(), Sleep::Asleep(_)));
    host.set_limits(pages(10));
    host.timer();
    assert_eq!(host.failure(), None);
    assert_eq!(asked.take(), told(&[2, -1, 6]));
}

#[test]
fn limits_make_a_difference_to_the_digest() {
    let factory = factory(&growing(), HostConfig::default());
    let (mut host, _) = born(&factory, pages(10));
    let digest = host.state_digest();
    host.set_limits(pages(11));
    assert_ne!(host.state_digest(), digest);
    host.set_limits(pages(10));
    assert_eq!(host.state_digest(), digest);
}

#[test]
fn a_factory_tells_the_limits_that_are_set_and_rooms_of_today_have_those() {
    let factory = factory(&growing(), with_pages(7));
    let limits = StateroomServiceFactory::<Recorder>::limits(&factory);
    assert_eq!(limits, MemoryLimits { memory_bytes: 7 * PAGE, table_elements: 20_000 });
    let asked = Recorder::default();
    let mut host = factory.build("lobby", asked.clone()).unwrap();
    host.timer();
    host.timer();
    assert_eq!(asked.take(), told(&[2, -1]));
}

#[test]
fn no_limits_at_all_are_as_much_as_there_can_be() {
    let factory = factory(&growing(), HostConfig::default());
    let most = MemoryLimits { memory_bytes: 4 << 30, table_elements: 100_000 };
    let [mut one, mut other] = [MemoryLimits::NONE, most].map(|limits| born(&factory, limits).0);
    assert_eq!(one.state_digest(), other.state_digest());
}

#[test]
fn a_room_that_starts_past_its_limits_is_told_which() {
    let factory = factory(&growing(), HostConfig::default());
    let birth = Birth { limits: pages(1), ..BIRTH };
    let error = factory.build_at("lobby", Recorder::default(), &birth).err().unwrap().to_string();
    assert!(error.contains("a limit is too small"), "{error}");
    assert!(error.contains("`memory_bytes`") && error.contains("131072"), "{error}");
    assert!(error.contains("is 65536: raise it"), "{error}");
}

#[test]
fn a_table_grows_to_the_limit_that_the_room_was_born_with() {
    let timer = r#"(table 1 funcref) (func (export "timer")
        (i32.store (i32.const 64) (table.grow 0 (ref.null func) (i32.const 49)))
        (call $send (i32.const 1) (i32.const 64) (i32.const 4)))"#;
    let text = module("", &format!("{timer} {NO_BINARY}"));
    let few = with(Limits { table_elements: 1, ..Limits::default() });
    for config in [few, HostConfig::default()] {
        let (mut host, asked) = born(&factory(&text, config), pages(10));
        (0..3).for_each(|_| host.timer());
        host.set_limits(MemoryLimits { table_elements: 148, ..pages(10) });
        host.timer();
        assert_eq!(asked.take(), told(&[1, 50, -1, 99]));
    }
}

/// The room exists, so its module is loaded though no new room could be born of it.
#[test]
fn a_module_that_needs_more_than_is_set_today_loads_for_the_rooms_that_it_has() {
    let text = growing().replace("2 40)", "20 40)").replace(
        "(func (export \"initialize\")",
        &format!("(func (export \"_initialize\") {COMPUTE}) (func (export \"initialize\")"),
    );
    let mut room = Room::start(&factory(&text, HostConfig::default()));
    let (bytes, digest) = (room.bytes(), room.host.state_digest());
    let limits = Limits {
        memory_bytes: 1 << 20,
        cpu_time_per_event: Duration::from_millis(10),
        ..Limits::default()
    };
    let config = HostConfig { max_rooms: Some(1), ..with(limits) };
    let engine = WasmEngine::new(config).unwrap();
    let error = engine.load_bytes("test", text.as_bytes()).err().unwrap().to_string();
    assert!(error.contains("`memory_bytes`"), "{error}");
    let kept = engine.load_kept("test", text.as_bytes()).unwrap();
    let mut host = kept.restore("lobby", Recorder::default(), &bytes).unwrap();
    assert_eq!(host.state_digest(), digest);
}

/// Counts down for some tens of milliseconds at least.
const COMPUTE: &str = "(local $left i32) (local.set $left (i32.const 200000000)) (loop $again \
    (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))";

/// Its events take long, and so does its start.
fn computing() -> String {
    let timer = format!(
        r#"(func (export "timer") {COMPUTE}
        (i32.store (i32.const 64) (i32.add (i32.load (i32.const 64)) (i32.const 1))))"#
    );
    let initialize = r#"(func (export "initialize") (param i32 i32)"#;
    module("", &format!("{timer} {NO_BINARY}"))
        .replace(initialize, &format!("{initialize} {COMPUTE}"))
}

fn short() -> Limits {
    Limits { cpu_time_per_event: Duration::from_millis(10), ..Limits::default() }
}

#[track_caller]
fn failure(host: &WasmHost) -> ServiceFailure {
    host.failure().expect("the room fails").clone()
}

#[test]
fn what_took_long_once_may_take_long_again() {
    let text = computing();
    let mut straight = Room::start(&factory(&text, HostConfig::default()));
    let saved = straight.bytes();
    (0..3).for_each(|_| straight.host.timer());
    let digest = straight.host.state_digest();
    assert!(digest.is_some());

    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    let on_busy: Arc<dyn Fn() + Send + Sync> = Arc::new(move || {
        counted.fetch_add(1, Relaxed);
    });
    let today = factory(&text, HostConfig { on_busy: Some(on_busy), ..with(short()) });
    // From the start, and from a snapshot; asleep in between.
    let again = || today.build_again("lobby", Recorder::default(), &BIRTH).unwrap();
    for make in [&again as &dyn Fn() -> WasmHost, &|| {
        today.restore("lobby", Recorder::default(), &saved).unwrap()
    }] {
        let mut host = make();
        host.set_replaying(true);
        calls.store(0, Relaxed);
        host.timer();
        assert!(calls.load(Relaxed) > 0, "it is told that the room is busy");
        assert!(matches!(host.sleep(), Sleep::Asleep(_)));
        host.timer();
        host.timer();
        assert_eq!(host.failure(), None);
        assert_eq!(host.state_digest(), digest);
        host.set_replaying(false);
        host.timer();
        assert!(failure(&host).detail.contains("`cpu_time_per_event`"), "new events are bounded");
        drop(host);
    }
    // Whoever does not say that the room starts again starts a new one.
    assert!(today.build_at("lobby", Recorder::default(), &BIRTH).is_err());
    let mut fresh = again();
    fresh.timer();
    assert!(fresh.failure().is_some());
}

#[test]
fn an_operator_can_bound_what_is_heard_again() {
    let text = computing();
    let saved = Room::start(&factory(&text, HostConfig::default())).bytes();
    let replay_cpu_time = Some(Duration::from_millis(15));
    let today = factory(&text, HostConfig { replay_cpu_time, ..HostConfig::default() });
    let mut host = today.restore("lobby", Recorder::default(), &saved).unwrap();
    host.set_replaying(true);
    host.timer();
    let failure = failure(&host);
    assert!(failure.detail.contains("may take 15ms (`replay_cpu_time`)"), "{failure}");
}

#[test]
fn what_was_sent_once_may_be_sent_again() {
    let send = "(call $send (i32.const 1) (i32.const 64) (i32.const 100))";
    let timer = format!(r#"(func (export "timer") {})"#, send.repeat(20));
    let text = module("", &format!("{timer} {NO_BINARY}"));
    let saved = Room::start(&factory(&text, HostConfig::default())).bytes();
    for limits in [
        Limits { commands_per_event: 19, ..Limits::default() },
        Limits { bytes_per_event: 1_999, ..Limits::default() },
    ] {
        let today = factory(&text, with(limits));
        let asked = Recorder::default();
        let mut host = today.restore("lobby", asked.clone(), &saved).unwrap();
        host.set_replaying(true);
        host.timer();
        assert_eq!(host.failure(), None);
        assert_eq!(asked.take().len(), 20);
        host.set_replaying(false);
        host.timer();
        assert_eq!(failure(&host).summary, "room failed: an event sent too much");
    }
}

#[test]
fn memory_is_refused_again_as_it_was_refused_before() {
    let today = factory(&growing(), with_pages(100));
    let (mut host, asked) = born(&today, pages(6));
    host.set_replaying(true);
    host.timer();
    host.timer();
    assert_eq!(asked.take(), told(&[2, -1]));
}

#[test]
fn a_stack_that_is_too_small_for_what_passed_once_is_named() {
    let deep = "(func $deep (param $left i32) (if (local.get $left) \
                (then (call $deep (i32.sub (local.get $left) (i32.const 1))))))";
    let text = module(
        "",
        &format!(r#"{deep} (func (export "timer") (call $deep (i32.const 4000))) {NO_BINARY}"#),
    );
    let mut room = Room::start(&factory(&text, HostConfig::default()));
    let saved = room.bytes();
    room.host.timer();
    assert_eq!(room.host.failure(), None);
    let today = factory(&text, with(Limits { stack_bytes: 65_536, ..Limits::default() }));
    let mut host = today.restore("lobby", Recorder::default(), &saved).unwrap();
    host.set_replaying(true);
    host.timer();
    let failure = failure(&host);
    assert_eq!(failure.summary, "room failed: recursion too deep");
    for told in ["65536 bytes (`stack_bytes`)", "too small for this room", "passed before"] {
        assert!(failure.detail.contains(told), "{failure}");
    }
    assert!(!failure.to_string().contains("damaged"));
}

#[test]
fn a_room_of_before_is_brought_back_raw_or_compressed() {
    let text = growing().replace(NO_TIMER, "");
    let mut room = Room::start(&factory(&text, HostConfig::default()));
    room.host.timer();
    let digest = room.host.state_digest();
    room.sleep(How::Compressed);
    let mut room = room.saved(&factory(&text, with_pages(2)));
    assert_eq!(room.host.state_digest(), digest);
}
