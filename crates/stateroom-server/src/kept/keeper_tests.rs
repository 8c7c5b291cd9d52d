//! What rooms have to keep arrives in order, whichever way it takes.

use super::*;
use crate::{health::Health, names::RoomKey};
use stateroom_store::{MemoryStore, ModuleHash, Vitals, Write};
use std::time::{Duration, Instant};

/// Has no use for what it is told.
struct Nobody;

impl Listener for Nobody {
    fn answers(&self, _: usize, _: Answers) {}

    fn failed(&self, _: &Arc<str>) {}
}

/// Longer than it takes on any machine.
const PATIENCE: Duration = Duration::from_secs(60);

const EVENTS: u64 = 2_000;

fn request(write: Write, answer: Answer) -> Request {
    let room = RoomKey::first();
    Request { writes: vec![write], then: Some((Address { shard: 0, room }, answer)) }
}

fn event_of(room: &str, follows: u64) -> Request {
    let (room, records, vitals) = (room.into(), vec![1], Vitals::default());
    request(Write::Append { room, follows, events: 1, records, vitals }, Answer::Kept)
}

fn event(follows: u64) -> Request {
    event_of("lobby", follows)
}

fn state_of(room: &str, at: u64) -> Request {
    let (room, module, vitals) = (room.into(), ModuleHash([7; 32]), Vitals::default());
    let snapshot = Write::Snapshot { room, at, module, state: Vec::new(), vitals };
    request(snapshot, Answer::StateKept { at, bytes: 0 })
}

fn state(at: u64) -> Request {
    state_of("lobby", at)
}

#[test]
fn a_state_that_another_thread_has_saved_overtakes_no_event_before_it() {
    for at_once in [true, false] {
        let store = MemoryStore::new();
        let mut reader = store.reader().unwrap();
        let keeper = {
            let guard = Arc::new(Health::default()).guard("keeper");
            Keeper::start(Box::new(store), at_once, 1, Arc::new(Nobody), guard).unwrap()
        };
        keeper.request_after(0, state(0));
        while reader.load("lobby").unwrap().is_none() {
            thread::yield_now();
        }
        let (heard, hears) = channel();
        let (keeper, began) = (&keeper, Instant::now());
        thread::scope(|scope| {
            scope.spawn(move || {
                for at in hears {
                    keeper.request_after(0, state(at));
                }
            });
            for follows in 0..EVENTS {
                keeper.gather(0, event(follows));
                // At this moment, as the thread that saves rooms may.
                heard.send(follows + 1).unwrap();
                keeper.pass_on(0);
                // A room submits more only when it knows what became of this.
                while reader.summary("lobby").unwrap().unwrap().events <= follows {
                    assert!(began.elapsed() < PATIENCE, "event {follows} was refused");
                    thread::yield_now();
                }
            }
            drop(heard);
        });
        keeper.finish();
        assert_eq!(reader.load("lobby").unwrap().unwrap().events(), EVENTS);
    }
}

#[test]
fn a_state_overtakes_no_event_that_was_left_to_the_thread() {
    let store = MemoryStore::new();
    let mut reader = store.reader().unwrap();
    let guard = Arc::new(Health::default()).guard("keeper");
    let keeper = Keeper::start(Box::new(store), true, 1, Arc::new(Nobody), guard).unwrap();
    for room in ["lobby", "other"] {
        keeper.keep_now(state_of(room, 0).writes).unwrap();
    }
    let began = Instant::now();
    for follows in 0..200 {
        let busy = lock(&keeper.shared.committer);
        keeper.gather(0, event(follows));
        keeper.pass_on(0);
        // Something else was gathered, and the state goes with it.
        keeper.gather(0, event_of("other", follows));
        keeper.request_after(0, state(follows + 1));
        drop(busy);
        keeper.pass_on(0);
        let stands = |reader: &mut dyn stateroom_store::Reader, room| {
            reader.summary(room).unwrap().unwrap().events
        };
        while stands(&mut *reader, "lobby") <= follows || stands(&mut *reader, "other") <= follows {
            assert!(began.elapsed() < PATIENCE, "event {follows} was refused");
            thread::yield_now();
        }
        while keeper.shared.sent.load(Relaxed) > 0 {
            thread::yield_now();
        }
    }
    keeper.finish();
    assert!(!keeper.is_broken());
    assert_eq!(reader.load("lobby").unwrap().unwrap().tail, []);
}

#[test]
fn a_state_overtakes_no_event_that_is_left_to_the_thread_with_it() {
    let store = MemoryStore::new();
    let mut reader = store.reader().unwrap();
    let guard = Arc::new(Health::default()).guard("keeper");
    let keeper = Keeper::start(Box::new(store), true, 1, Arc::new(Nobody), guard).unwrap();
    keeper.keep_now(state(0).writes).unwrap();
    // An event that failed is set aside, which may take long.
    let mut request = event(0);
    let (room, reason, event) = ("lobby".into(), "it trapped".to_owned(), vec![7; 3]);
    request.writes.push(Write::Quarantine { room, at: 1, time: 0, reason, event });
    keeper.gather(0, request);
    keeper.request_after(0, state(1));
    keeper.pass_on(0);
    keeper.finish();
    assert_eq!(reader.quarantined("lobby").unwrap().len(), 1);
    assert_eq!(reader.load("lobby").unwrap().unwrap().events(), 1);
}
