//! The accidents of the simulated disk: what is there afterwards, and that a seed repeats them.

mod support;

use stateroom_store::{
    Chances, Durability, Fault, FaultyDisk, FaultyStore, Store, StoreError, StoredRoom,
};
use support::{append, reader, snapshot};

fn open(disk: &FaultyDisk) -> FaultyStore {
    disk.open(Durability::Synced).expect("it opens")
}

fn lobby(store: &dyn Store) -> StoredRoom {
    reader(store).load("lobby").expect("read").expect("there")
}

/// A disk with a room of no events.
fn with_lobby(seed: u64, durability: Durability) -> (FaultyDisk, FaultyStore) {
    let disk = FaultyDisk::new(seed);
    let mut store = disk.open(Durability::Synced).expect("it opens");
    store.commit(&[snapshot("lobby", 0, b"")]).expect("committed");
    drop(store);
    let store = disk.open(durability).expect("it opens");
    (disk, store)
}

#[test]
fn a_crash_loses_nothing_that_returned() {
    for durability in [Durability::Buffered, Durability::Synced] {
        let (disk, mut store) = with_lobby(1, durability);
        for at in 0..10 {
            store.commit(&[append("lobby", at, 1, b"x")]).expect("committed");
        }
        disk.crash();
        assert_eq!(lobby(&open(&disk)).events(), 10);
    }
}

#[test]
fn a_power_cut_loses_nothing_that_was_synced_and_only_the_newest_of_the_rest() {
    let mut seen = [false; 11];
    for seed in 0..200 {
        let (disk, mut store) = with_lobby(seed, Durability::Synced);
        store.commit(&[append("lobby", 0, 5, b"synced")]).expect("committed");
        drop(store);
        let mut store = disk.open(Durability::Buffered).expect("it opens");
        for at in 5..10 {
            store.commit(&[append("lobby", at, 1, b"x")]).expect("committed");
        }
        disk.power_cut();
        seen[lobby(&open(&disk)).events() as usize] = true;
    }
    assert_eq!(seen[..5], [false; 5]);
    assert_eq!(seen[5..], [true; 6]);
}

#[test]
fn after_a_failed_flush_the_store_is_closed_and_the_commit_in_doubt() {
    let mut there = 0;
    for seed in 0..100 {
        let (disk, mut store) = with_lobby(seed, Durability::Synced);
        disk.next_fault(Fault::FailedFlush);
        let error = store.commit(&[append("lobby", 0, 1, b"x")]).expect_err("ordered");
        assert!(matches!(error, StoreError::Failed { .. }), "{error}");
        let error = store.commit(&[append("lobby", 0, 1, b"x")]).expect_err("closed");
        assert!(matches!(error, StoreError::Closed { .. }), "{error}");
        assert!(disk.is_in_doubt());
        drop(store);
        there += lobby(&open(&disk)).events();
        assert!(!disk.is_in_doubt());
    }
    assert!((20..80).contains(&there), "{there} of 100");
}

#[test]
fn a_full_disk_takes_the_next_commit() {
    let (disk, mut store) = with_lobby(1, Durability::Synced);
    disk.next_fault(Fault::DiskFull);
    let error = store.commit(&[append("lobby", 0, 1, b"x")]).expect_err("ordered");
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    assert_eq!(lobby(&store).events(), 0);
    store.commit(&[append("lobby", 0, 1, b"x")]).expect("committed");
}

#[test]
fn a_commit_that_never_returned_is_there_whole_or_not_at_all() {
    for cut in [FaultyDisk::crash, FaultyDisk::power_cut] {
        let mut seen = [false; 4];
        for seed in 0..100 {
            let (disk, mut store) = with_lobby(seed, Durability::Synced);
            disk.next_fault(Fault::NeverReturns);
            store
                .commit(&[append("lobby", 0, 1, b"x"), append("lobby", 1, 2, b"xy")])
                .expect_err("ordered");
            assert!(disk.is_in_doubt());
            cut(&disk);
            seen[lobby(&open(&disk)).events() as usize] = true;
        }
        assert_eq!(seen, [true, false, false, true]);
    }
}

#[test]
fn whoever_outlives_the_process_does_nothing_any_more() {
    let (disk, mut store) = with_lobby(1, Durability::Synced);
    let mut old = reader(&store);
    assert!(matches!(disk.open(Durability::Synced), Err(StoreError::InUse { .. })));
    disk.crash();
    let new = open(&disk);
    let error = store.commit(&[append("lobby", 0, 1, b"x")]).expect_err("it has ended");
    assert!(matches!(error, StoreError::Closed { .. }), "{error}");
    old.load("lobby").expect_err("it has ended");
    drop(store);
    assert!(matches!(disk.open(Durability::Synced), Err(StoreError::InUse { .. })));
    assert_eq!(lobby(&new).events(), 0);
}

#[test]
fn a_flipped_bit_hurts_its_room_until_a_snapshot_replaces_it() {
    let (disk, mut store) = with_lobby(1, Durability::Synced);
    store.commit(&[snapshot("other", 0, b""), append("lobby", 0, 1, b"x")]).expect("committed");
    assert!(!disk.damage_journal("other"));
    assert!(disk.damage_journal("lobby"));
    disk.damage_snapshot("other");
    for room in ["lobby", "other"] {
        let error = reader(&store).load(room).expect_err("damaged");
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    }
    store.commit(&[snapshot("other", 0, b"new"), snapshot("lobby", 1, b"new")]).expect("committed");
    disk.power_cut();
    let store = open(&disk);
    assert_eq!(lobby(&store).snapshot.state, b"new");
    reader(&store).load("other").expect("whole");
}

#[test]
fn a_seed_repeats_its_accidents() {
    let story = |seed| {
        let disk = FaultyDisk::new(seed);
        let chances =
            Chances { failed_flush: 0.05, disk_full: 0.1, never_returns: 0.05, flipped_bit: 0.2 };
        disk.set_chances(chances);
        let mut story = Vec::new();
        for life in 0..20 {
            let mut store = open(&disk);
            for _ in 0..20 {
                let had = reader(&store).summary("lobby").expect("read");
                let write = match had {
                    None => snapshot("lobby", 0, b""),
                    Some(had) => append("lobby", had.events, 1, b"x"),
                };
                let error = store.commit(&[write]).err();
                story.push(error.map_or(String::new(), |error| error.to_string()));
            }
            if life % 2 == 0 { disk.crash() } else { disk.power_cut() }
        }
        story
    };
    assert_eq!(story(1), story(1));
    assert_ne!(story(1), story(2));
    let told = story(1).join("\n");
    for accident in ["is full", "a flush has failed", "in the midst of a commit"] {
        assert!(told.contains(accident), "no {accident:?} in 400 commits");
    }
}
