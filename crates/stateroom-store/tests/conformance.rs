//! What every store does, tried with each of them.

mod support;

use stateroom_store::{
    Durability, FileStore, MAX_QUARANTINED, MAX_WRITE_BYTES, MemoryStore, ModuleHash, Options,
    Store, StoreError, StoredRecords, UNUSED_MODULES_KEPT, Vitals, Write,
};
use std::sync::Arc;
use support::{MODULE, append, clients, delete, quarantine, reader, snapshot};

macro_rules! for_each_store {
    ($($name:ident)*) => {
        mod memory {
            $(#[test] fn $name() { super::$name(&mut super::MemoryStore::new()); })*
        }
        mod file {
            use super::{Durability, FileStore};
            $(#[test] fn $name() {
                let folder = tempfile::tempdir().expect("a folder");
                let store = FileStore::open(folder.path(), Durability::Buffered);
                super::$name(&mut store.expect("it opens"));
            })*
        }
        /// With files so small that the checkpoint has nearly everything.
        mod file_small {
            use super::{Durability, FileStore, Options};
            $(#[test] fn $name() {
                let folder = tempfile::tempdir().expect("a folder");
                let options = Options { segment_bytes: 200, large_bytes: 100, ..Options::default() };
                let store = FileStore::open_with(folder.path(), Durability::Synced, options);
                super::$name(&mut store.expect("it opens"));
            })*
        }
    };
}

for_each_store! {
    a_room_comes_back_as_snapshot_and_tail
    an_empty_store_knows_nothing
    a_snapshot_drops_the_journal_up_to_it
    an_append_that_straddles_the_snapshot_is_given_whole
    a_commit_is_carried_out_whole_or_not_at_all
    a_write_that_is_out_of_order_is_refused
    an_append_without_events_is_refused
    the_vitals_told_last_count
    a_room_goes_on_from_a_snapshot_of_events_that_the_store_was_not_told_of
    only_rooms_with_timer_or_clients_need_attention
    a_deleted_room_is_gone_and_its_name_can_live_again
    a_room_can_end_and_begin_within_a_commit
    events_set_aside_are_kept_up_to_a_bound
    events_set_aside_have_a_bound_in_bytes_too
    a_write_that_is_too_large_is_refused
    rooms_are_summarized_and_listed_by_name
    modules_are_kept_and_old_unused_ones_dropped
    any_name_and_any_bytes_are_kept
    the_largest_numbers_are_kept
    a_reader_of_another_thread_sees_what_was_committed
}

fn commit(store: &mut dyn Store, writes: &[Write]) {
    store.commit(writes).expect("committed");
}

fn a_room_comes_back_as_snapshot_and_tail(store: &mut dyn Store) {
    commit(store, &[snapshot("a", 5, b"five"), append("a", 5, 2, b"67")]);
    commit(store, &[append("a", 7, 1, b"8"), append("a", 8, 3, b"9ab")]);
    let room = reader(store).load("a").expect("read").expect("there");
    assert_eq!((room.snapshot.at, room.snapshot.module), (5, MODULE));
    assert_eq!(room.snapshot.state, b"five");
    let tail: Vec<_> =
        room.tail.iter().map(|it| (it.follows, it.events, it.records.as_slice())).collect();
    assert_eq!(tail, [(5, 2, &b"67"[..]), (7, 1, b"8"), (8, 3, b"9ab")]);
    assert_eq!(room.events(), 11);
    assert_eq!(room.vitals, clients(1));
}

fn an_empty_store_knows_nothing(store: &mut dyn Store) {
    commit(store, &[]);
    let mut reader = reader(store);
    assert_eq!(reader.load("a").expect("read"), None);
    assert_eq!(reader.summary("a").expect("read"), None);
    assert_eq!(reader.list().expect("read"), []);
    assert_eq!(reader.needing_attention().expect("read"), []);
    assert_eq!(reader.quarantined("a").expect("read"), []);
    assert_eq!(reader.module(&MODULE).expect("read"), None);
}

fn a_snapshot_drops_the_journal_up_to_it(store: &mut dyn Store) {
    commit(store, &[snapshot("a", 0, b"")]);
    for at in 0..10 {
        commit(store, &[append("a", at, 1, &[at as u8])]);
    }
    commit(store, &[snapshot("a", 7, b"seven")]);
    let room = reader(store).load("a").expect("read").expect("there");
    assert_eq!((room.snapshot.at, room.snapshot.state.as_slice()), (7, &b"seven"[..]));
    assert_eq!(room.tail.iter().map(|records| records.follows).collect::<Vec<_>>(), [7, 8, 9]);
    commit(store, &[snapshot("a", 10, b"ten")]);
    let room = reader(store).load("a").expect("read").expect("there");
    assert_eq!((room.tail.len(), room.events()), (0, 10));
    commit(store, &[append("a", 10, 1, b"next")]);
    assert_eq!(reader(store).load("a").expect("read").expect("there").events(), 11);
}

fn an_append_that_straddles_the_snapshot_is_given_whole(store: &mut dyn Store) {
    commit(store, &[snapshot("a", 0, b""), append("a", 0, 5, b"01234")]);
    commit(store, &[snapshot("a", 3, b"three")]);
    let room = reader(store).load("a").expect("read").expect("there");
    let whole = StoredRecords { follows: 0, events: 5, records: b"01234".to_vec() };
    assert_eq!((room.snapshot.at, room.tail), (3, vec![whole]));
}

fn a_commit_is_carried_out_whole_or_not_at_all(store: &mut dyn Store) {
    commit(store, &[snapshot("a", 0, b"")]);
    let before = reader(store).list().expect("read");
    let writes = [
        append("a", 0, 1, b"fine"),
        snapshot("b", 0, b"fine"),
        quarantine("a", 1, "fine"),
        Write::Module { hash: MODULE, bytes: b"fine".to_vec() },
        append("a", 7, 1, b"out of order"),
    ];
    let error = store.commit(&writes).expect_err("the last is wrong");
    assert!(matches!(error, StoreError::OutOfOrder { expected: Some(1), found: 7, .. }), "{error}");
    assert_eq!(reader(store).list().expect("read"), before);
    assert_eq!(reader(store).module(&MODULE).expect("read"), None);
    commit(store, &writes[..4]);
    assert_eq!(reader(store).list().expect("read").len(), 2);
}

fn a_write_that_is_out_of_order_is_refused(store: &mut dyn Store) {
    commit(store, &[snapshot("a", 3, b""), append("a", 3, 4, b"4567")]);
    let mut refused = |write: Write, after: Option<u64>| {
        let error = store.commit(&[write]).expect_err("out of order");
        let StoreError::OutOfOrder { expected, .. } = error else { panic!("{error}") };
        assert_eq!(expected, after);
    };
    refused(append("a", 6, 1, b"again"), Some(7));
    refused(append("a", 8, 1, b"gap"), Some(7));
    refused(append("a", 0, 1, b"beginning"), Some(7));
    refused(snapshot("a", 2, b"older than the last"), Some(7));
    refused(append("b", 0, 1, b"no such room"), None);
    refused(quarantine("b", 0, "no such room"), None);
    refused(snapshot("b", u64::MAX, b"too far"), None);
    commit(store, &[append("a", 7, 1, b"8")]);
}

fn a_room_goes_on_from_a_snapshot_of_events_that_the_store_was_not_told_of(store: &mut dyn Store) {
    commit(store, &[snapshot("a", 0, b""), append("a", 0, 2, b"12"), snapshot("a", 9, b"state")]);
    let room = reader(store).load("a").expect("read").expect("there");
    assert_eq!((room.snapshot.at, room.events(), room.tail.len()), (9, 9, 0));
    let error = store.commit(&[append("a", 2, 1, b"3")]).expect_err("long ago");
    assert!(matches!(error, StoreError::OutOfOrder { expected: Some(9), .. }), "{error}");
    commit(store, &[append("a", 9, 1, b"x")]);
    assert_eq!(reader(store).load("a").expect("read").expect("there").events(), 10);
}

fn an_append_without_events_is_refused(store: &mut dyn Store) {
    commit(store, &[snapshot("a", 0, b"")]);
    let error = store.commit(&[append("a", 0, 0, b"")]).expect_err("empty");
    assert!(matches!(error, StoreError::EmptyAppend { .. }), "{error}");
}

fn the_vitals_told_last_count(store: &mut dyn Store) {
    let room: Arc<str> = "a".into();
    let told = |wake_at: u64, clients| Vitals { wake_at: Some(wake_at), clients, heard_at: 0 };
    let append = |follows, vitals| {
        let records = b"x".to_vec();
        Write::Append { room: room.clone(), follows, events: 1, records, vitals }
    };
    let snapshot = |at, vitals| {
        let (module, state) = (MODULE, Vec::new());
        Write::Snapshot { room: room.clone(), at, module, state, vitals }
    };
    let vitals = |store: &dyn Store| {
        let mut reader = reader(store);
        let loaded = reader.load("a").expect("read").expect("there").vitals;
        assert_eq!(reader.summary("a").expect("read").expect("there").vitals, loaded);
        assert_eq!(reader.needing_attention().expect("read"), [("a".into(), loaded)]);
        loaded
    };
    commit(store, &[snapshot(0, told(1, 1))]);
    assert_eq!(vitals(store), told(1, 1));
    commit(store, &[append(0, told(2, 2)), append(1, told(3, 3))]);
    assert_eq!(vitals(store), told(3, 3));
    // A snapshot that took its time tells what was.
    commit(store, &[snapshot(1, told(4, 4))]);
    assert_eq!(vitals(store), told(3, 3));
    commit(store, &[append(2, told(5, 5))]);
    assert_eq!(vitals(store), told(5, 5));
    commit(store, &[snapshot(3, told(6, 6))]);
    assert_eq!(vitals(store), told(6, 6));
}

fn only_rooms_with_timer_or_clients_need_attention(store: &mut dyn Store) {
    let state = |room: &str, vitals| Write::Snapshot {
        room: room.into(),
        at: 0,
        module: MODULE,
        state: Vec::new(),
        vitals,
    };
    let timer = Vitals { wake_at: Some(u64::MAX), clients: 0, heard_at: 0 };
    let writes =
        [state("timer", timer), state("clients", clients(3)), state("quiet", Vitals::default())];
    commit(store, &writes);
    let mut needing = reader(store).needing_attention().expect("read");
    needing.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(needing, [("clients".into(), clients(3)), ("timer".into(), timer)]);
    commit(store, &[state("timer", Vitals::default()), append("quiet", 0, 1, b"x")]);
    let mut needing = reader(store).needing_attention().expect("read");
    needing.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(needing, [("clients".into(), clients(3)), ("quiet".into(), clients(1))]);
}

fn a_deleted_room_is_gone_and_its_name_can_live_again(store: &mut dyn Store) {
    commit(store, &[snapshot("a", 0, b"old"), append("a", 0, 3, b"old"), snapshot("b", 0, b"")]);
    commit(store, &[quarantine("a", 3, "old")]);
    commit(store, &[delete("a"), delete("never there")]);
    assert_eq!(reader(store).load("a").expect("read"), None);
    assert_eq!(reader(store).quarantined("a").expect("read"), []);
    assert_eq!(reader(store).list().expect("read").len(), 1);
    store.commit(&[append("a", 3, 1, b"late")]).expect_err("it is gone");
    commit(store, &[snapshot("a", 1, b"new"), append("a", 1, 1, b"new")]);
    let room = reader(store).load("a").expect("read").expect("there");
    assert_eq!((room.snapshot.at, room.events()), (1, 2));
    assert_eq!(room.tail[0].records, b"new");
    assert_eq!(reader(store).quarantined("a").expect("read"), []);
}

fn a_room_can_end_and_begin_within_a_commit(store: &mut dyn Store) {
    commit(store, &[snapshot("a", 0, b"1"), append("a", 0, 1, b"1")]);
    let writes = [
        append("a", 1, 1, b"1"),
        delete("a"),
        snapshot("a", 1, b"2"),
        append("a", 1, 2, b"2"),
        delete("a"),
        snapshot("a", 0, b"3"),
        append("a", 0, 1, b"3"),
        append("a", 1, 1, b"3"),
        snapshot("a", 1, b"4"),
    ];
    commit(store, &writes);
    let room = reader(store).load("a").expect("read").expect("there");
    assert_eq!((room.snapshot.at, room.snapshot.state.as_slice()), (1, &b"4"[..]));
    let tail = StoredRecords { follows: 1, events: 1, records: b"3".to_vec() };
    assert_eq!(room.tail, [tail]);
}

fn events_set_aside_are_kept_up_to_a_bound(store: &mut dyn Store) {
    commit(store, &[snapshot("a", 0, b""), snapshot("b", 0, b""), quarantine("b", 0, "of b")]);
    let many = MAX_QUARANTINED as u64 + 5;
    for at in 0..many {
        commit(store, &[quarantine("a", at, &format!("trap {at}"))]);
    }
    let kept = reader(store).quarantined("a").expect("read");
    assert_eq!(kept.len(), MAX_QUARANTINED);
    let (first, last) = (kept.first().expect("some"), kept.last().expect("some"));
    assert_eq!((first.at, first.reason.as_str()), (5, "trap 5"));
    assert_eq!((last.at, last.time), (many - 1, 1_000 + many - 1));
    assert_eq!(last.event, b"bad");
    let summary = reader(store).summary("a").expect("read").expect("there");
    assert_eq!(summary.quarantined as usize, MAX_QUARANTINED);
    assert_eq!(reader(store).quarantined("b").expect("read").len(), 1);
}

fn events_set_aside_have_a_bound_in_bytes_too(store: &mut dyn Store) {
    commit(store, &[snapshot("a", 0, b"")]);
    for at in 0..40 {
        let (room, reason, event) = ("a".into(), format!("trap {at}"), vec![7; 100 << 10]);
        commit(store, &[Write::Quarantine { room, at, time: at, reason, event }]);
    }
    let kept = reader(store).quarantined("a").expect("read");
    let bytes: usize = kept.iter().map(|it| it.event.len() + it.reason.len()).sum();
    assert!((1 << 19..=1 << 20).contains(&bytes), "{bytes} bytes of {} events", kept.len());
    let last = kept.last().expect("some");
    assert_eq!((last.at, last.event.len()), (39, 64 << 10));
    assert!(last.reason.contains("the first 65536 are kept"), "{}", last.reason);
}

fn a_write_that_is_too_large_is_refused(store: &mut dyn Store) {
    commit(store, &[snapshot("a", 0, b"")]);
    // Of zeroes that nobody looks at, so that it takes no memory.
    let (room, records) = ("a".into(), vec![0; MAX_WRITE_BYTES + 1]);
    let vitals = Vitals::default();
    let error = store.commit(&[Write::Append { room, follows: 0, events: 1, records, vitals }]);
    assert!(matches!(error, Err(StoreError::TooLarge { .. })), "{error:?}");
    commit(store, &[append("a", 0, 1, b"fits")]);
    assert_eq!(reader(store).load("a").expect("read").expect("there").events(), 1);
}

fn rooms_are_summarized_and_listed_by_name(store: &mut dyn Store) {
    commit(store, &[snapshot("b", 2, b"state"), append("b", 2, 3, b"12345678")]);
    commit(store, &[snapshot("a", 0, b""), snapshot("c", 9, b"c"), quarantine("c", 9, "trap")]);
    let list = reader(store).list().expect("read");
    let names: Vec<&str> = list.iter().map(|summary| &*summary.room).collect();
    assert_eq!(names, ["a", "b", "c"]);
    for summary in &list {
        let alone = reader(store).summary(&summary.room).expect("read");
        assert_eq!(alone.as_ref(), Some(summary));
    }
    let [_, b, c] = &list[..] else { panic!("three") };
    assert_eq!((b.events, b.journal_bytes, b.snapshot_bytes), (5, 8, 5));
    assert_eq!((b.module, b.vitals, b.damaged), (MODULE, clients(1), false));
    assert_eq!((c.events, c.journal_bytes, c.quarantined), (9, 0, 1));
}

fn modules_are_kept_and_old_unused_ones_dropped(store: &mut dyn Store) {
    let hash = |number: u8| ModuleHash([number; 32]);
    let module = |number: u8| Write::Module { hash: hash(number), bytes: vec![number; 10_000] };
    // 7 is used by a room, 1 is told again at the end.
    commit(store, &[snapshot("a", 0, b"")]);
    let all = 2 * UNUSED_MODULES_KEPT as u8;
    for number in 1..=all {
        commit(store, &[module(number)]);
    }
    commit(store, &[module(1)]);
    let mut reader = reader(store);
    let read =
        |number: u8| reader.module(&hash(number)).expect("read").map(|bytes| (number, bytes));
    let kept: Vec<(u8, Vec<u8>)> = (1..=all).filter_map(read).collect();
    for (number, bytes) in &kept {
        assert_eq!(*bytes, vec![*number; 10_000]);
    }
    let newest = all - UNUSED_MODULES_KEPT as u8 + 2..=all;
    let must: Vec<u8> = [1, 7].into_iter().chain(newest).collect();
    let kept: Vec<u8> = kept.into_iter().map(|(number, _)| number).collect();
    // Those that are used and the newest are there; a store may be slow to drop the others.
    assert!(must.iter().all(|number| kept.contains(number)), "{kept:?}");
}

fn any_name_and_any_bytes_are_kept(store: &mut dyn Store) {
    let all_bytes: Vec<u8> = (0..=255).collect();
    let long = "x".repeat(10_000);
    for name in ["", " ", "a\0b", "ä/ß?%'\"", "🦀", "A", "a", &long] {
        commit(store, &[snapshot(name, 0, &all_bytes), append(name, 0, 1, &all_bytes)]);
        commit(store, &[append(name, 1, 1, b"")]);
        let room = reader(store).load(name).expect("read").expect("there");
        assert_eq!(room.snapshot.state, all_bytes);
        assert_eq!(room.tail[0].records, all_bytes);
        assert_eq!(room.tail[1].records, b"");
    }
    assert_eq!(reader(store).list().expect("read").len(), 8);
}

fn the_largest_numbers_are_kept(store: &mut dyn Store) {
    let at = i64::MAX as u64 - u64::from(u32::MAX);
    let vitals = Vitals { wake_at: Some(u64::MAX), clients: u32::MAX, heard_at: 0 };
    let room: Arc<str> = "a".into();
    commit(store, &[snapshot("a", at, b"")]);
    let (events, records) = (u32::MAX, b"many".to_vec());
    commit(store, &[Write::Append { room, follows: at, events, records, vitals }]);
    let loaded = reader(store).load("a").expect("read").expect("there");
    assert_eq!((loaded.events(), loaded.vitals), (i64::MAX as u64, vitals));
    let error = store.commit(&[append("a", i64::MAX as u64, 1, b"")]).expect_err("the end");
    assert!(matches!(error, StoreError::OutOfOrder { .. }), "{error}");
    let time = u64::MAX;
    let (room, reason, event) = ("a".into(), String::new(), Vec::new());
    commit(store, &[Write::Quarantine { room, at: u64::MAX, time, reason, event }]);
    let kept = reader(store).quarantined("a").expect("read");
    assert_eq!((kept[0].at, kept[0].time), (u64::MAX, u64::MAX));
}

fn a_reader_of_another_thread_sees_what_was_committed(store: &mut dyn Store) {
    commit(store, &[snapshot("a", 0, b"")]);
    let mut readers: Vec<_> = (0..2).map(|_| reader(store)).collect();
    std::thread::scope(|scope| {
        let (sender, receiver) = std::sync::mpsc::channel::<u64>();
        let mut other = readers.pop().expect("two");
        let thread = scope.spawn(move || {
            for committed in receiver {
                let room = other.load("a").expect("read").expect("there");
                // Each moment is whole: snapshot and tail belong together.
                assert!(room.events() >= committed);
                assert!(room.tail.first().is_none_or(|first| first.follows == room.snapshot.at));
            }
        });
        for at in 0..200 {
            commit(store, &[append("a", at, 1, &at.to_le_bytes())]);
            if at % 7 == 0 {
                commit(store, &[snapshot("a", at + 1, &at.to_le_bytes())]);
            }
            sender.send(at + 1).expect("it listens");
        }
        drop(sender);
        thread.join().expect("it was right");
    });
}
