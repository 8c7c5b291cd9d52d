//! What rooms have to keep arrives in order, whichever way it takes.

use super::*;
use crate::{health::Health, names::RoomKey};
use stateroom_store::{
    MemoryStore, ModuleHash, Monitor, Outcome, Reader, Store, StoreError, Ticket, Vitals, Write,
};
use std::time::{Duration, Instant};

/// Has no use for what it is told.
struct Nobody;

impl Listener for Nobody {
    fn answers(&self, _: usize, _: Answers) {}

    fn failed(&self, _: &Arc<str>) {}
}

/// Remembers what it is told.
#[derive(Default)]
struct Told(Mutex<Vec<Answer>>);

impl Listener for Told {
    fn answers(&self, _: usize, answers: Answers) {
        lock(&self.0).extend(answers.into_iter().map(|(_, answer)| answer));
    }

    fn failed(&self, _: &Arc<str>) {}
}

/// Takes 4 MB a second, and tells how large its records are.
struct Slow(MemoryStore, Arc<Mutex<Vec<usize>>>);

impl Store for Slow {
    fn append(&mut self, record: &[Write]) -> Ticket {
        lock(&self.1).push(record.len());
        self.0.append(record)
    }

    fn settle(&mut self) -> Vec<(Ticket, Outcome)> {
        self.0.settle()
    }

    fn rate(&self) -> Option<u64> {
        Some(4_000_000)
    }

    fn finish(&mut self) -> Result<(), StoreError> {
        self.0.finish()
    }

    fn monitor(&self) -> Arc<dyn Monitor> {
        self.0.monitor()
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        self.0.reader()
    }
}

/// Longer than it takes on any machine.
const PATIENCE: Duration = Duration::from_secs(60);

const EVENTS: u64 = 2_000;

fn request(write: Write, answer: Answer) -> Request {
    let room = RoomKey::first();
    Request {
        writes: vec![write],
        then: Some((Address { shard: 0, room }, answer)),
        otherwise: None,
    }
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

/// What no store takes: it follows from what is not there.
fn refused() -> Request {
    event(9)
}

#[test]
fn a_state_that_is_refused_harms_no_event_after_it() {
    let told = Arc::new(Told::default());
    let guard = Arc::new(Health::default()).guard("keeper");
    let keeper =
        Keeper::start(Box::new(MemoryStore::new()), false, 1, told.clone(), guard).unwrap();
    keeper.keep_now(state(0).writes).unwrap();
    let refused = Request { otherwise: Some(Answer::StateNotKept), ..refused() };
    for request in [refused, event(0)] {
        keeper.gather(0, request);
        keeper.pass_on(0);
    }
    assert_eq!(keeper.finish(), []);
    assert_eq!(*lock(&told.0), [Answer::StateNotKept, Answer::Kept]);
}

#[test]
fn a_last_state_that_is_refused_or_comes_too_late_is_told() {
    let guard = Arc::new(Health::default()).guard("keeper");
    let nobody = Arc::new(Nobody);
    let keeper = Keeper::start(Box::new(MemoryStore::new()), true, 1, nobody, guard).unwrap();
    keeper.keep_now(state(0).writes).unwrap();
    let last = Request { otherwise: Some(Answer::Unsaved("lobby".into())), ..refused() };
    assert!(keeper.gather(0, last));
    let unsaved = keeper.finish();
    assert_eq!(unsaved.len(), 1, "{unsaved:?}");
    assert_eq!(&*unsaved[0].0, "lobby");
    assert!(!keeper.gather(0, state(1)), "nothing is kept any more");
}

#[test]
fn a_store_that_takes_only_so_much_is_given_little_at_a_time_and_rooms_wait_before_much_does() {
    let records = Arc::default();
    let slow = Slow(MemoryStore::new(), Arc::clone(&records));
    let guard = Arc::new(Health::default()).guard("keeper");
    let keeper = Keeper::start(Box::new(slow), true, 1, Arc::new(Nobody), guard).unwrap();
    keeper.keep_now(state(0).writes).unwrap();
    let large = |follows| {
        let (room, records, vitals) = ("lobby".into(), vec![1; 30_000], Vitals::default());
        request(Write::Append { room, follows, events: 1, records, vitals }, Answer::Kept)
    };
    keeper.gather(0, large(0));
    keeper.pass_on(0);
    assert!(!keeper.is_behind());
    // How much it takes is known now, so the thread does the rest.
    (1..50).for_each(|follows| assert!(keeper.gather(0, large(follows))));
    assert!(keeper.is_behind(), "1.5 MB wait, which take more than a quarter of a second");
    assert_eq!(keeper.pass_on(0), []);
    keeper.finish();
    let records = lock(&records);
    // 20 ms of 4 MB/s are 80 kB, and what is begun is taken whole.
    assert_eq!(records[2..].iter().max(), Some(&3), "{records:?}");
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
