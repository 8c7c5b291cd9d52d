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

fn request(write: Write) -> Request {
    let room = RoomKey::first();
    Request { writes: vec![write], then: Some((Address { shard: 0, room }, Answer::Kept)) }
}

fn event(follows: u64) -> Request {
    let (room, records, vitals) = ("lobby".into(), vec![1], Vitals::default());
    request(Write::Append { room, follows, events: 1, records, vitals })
}

fn state(at: u64) -> Request {
    let (room, module) = ("lobby".into(), ModuleHash([7; 32]));
    request(Write::Snapshot { room, at, module, state: Vec::new(), vitals: Vitals::default() })
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
