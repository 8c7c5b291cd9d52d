//! All stores give the same answers to the same random writes, and the one on disk also when it is
//! killed, closed and opened again in between.

mod support;

use fastrand::Rng;
use stateroom_store::{
    Durability, FileStore, MemoryStore, ModuleHash, Options, Store, Vitals, Write,
};
use support::reader;

/// A write that fits more often than not, since it knows the room's standing.
fn random_write(random: &mut Rng, memory: &MemoryStore) -> Write {
    let room = format!("room {}", random.u8(..12));
    let summary = reader(memory).summary(&room).expect("read");
    let had = summary.as_ref().map_or(0, |summary| summary.events);
    let wake_at = random.bool().then(|| random.u64(..));
    let vitals = Vitals { wake_at, clients: random.u32(..3), heard_at: 0 };
    let module = ModuleHash([random.u8(..4); 32]);
    let mut bytes = vec![random.u8(..); random.usize(..300)];
    if random.u8(..40) == 0 {
        // Large enough for a row of the log to leave its page, and for the log to be worth shortening.
        bytes.resize(random.usize(..100_000), 1);
    }
    let room = room.into();
    let wrong = random.u8(..20) == 0;
    let had = if wrong { had + 1 } else { had };
    if summary.is_none() && !wrong {
        let at = random.u64(..3);
        return Write::Snapshot { room, at, module, state: bytes, vitals };
    }
    match random.u8(..20) {
        0 => Write::Delete { room },
        1 => {
            let bytes = vec![module.0[0]; 5_000 * usize::from(module.0[0])];
            Write::Module { hash: module, bytes }
        }
        2 => {
            let (at, time, reason) = (had, random.u64(..), "trap".to_owned());
            Write::Quarantine { room, at, time, reason, event: bytes }
        }
        3 | 4 => {
            let at = had.saturating_sub(random.u64(..3));
            Write::Snapshot { room, at, module, state: bytes, vitals }
        }
        _ => {
            let events = random.u32(..4);
            Write::Append { room, follows: had, events, records: bytes, vitals }
        }
    }
}

fn assert_agree(one: &dyn Store, other: &dyn Store) {
    let (mut one, mut other) = (reader(one), reader(other));
    let list = one.list().expect("read");
    assert_eq!(list, other.list().expect("read"));
    let sorted = |reader: &mut dyn stateroom_store::Reader| {
        let mut rooms = reader.needing_attention().expect("read");
        rooms.sort_by(|one, other| one.0.cmp(&other.0));
        rooms
    };
    assert_eq!(sorted(&mut *one), sorted(&mut *other));
    for summary in &list {
        let room = &summary.room;
        assert_eq!(one.load(room).expect("read"), other.load(room).expect("read"));
        assert_eq!(one.quarantined(room).expect("read"), other.quarantined(room).expect("read"));
    }
    for code in (0..4).map(|number| Some(ModuleHash([number; 32]))).chain([None]) {
        let others = list.iter().filter(|it| code.is_some_and(|code| it.module != code)).count();
        let counted = one.count(code.as_ref()).expect("read");
        assert_eq!((counted.rooms, counted.with_other_code), (list.len() as u64, others as u64));
    }
    for number in 0..4 {
        let hash = ModuleHash([number; 32]);
        assert_eq!(one.module(&hash).expect("read"), other.module(&hash).expect("read"));
    }
}

#[test]
fn all_stores_agree() {
    for seed in 0..8 {
        let mut random = Rng::with_seed(seed);
        let folder = tempfile::tempdir().expect("a folder");
        let options = Options {
            segment_bytes: [2_000, 50_000, 16 << 20][seed as usize % 3],
            large_bytes: 10_000,
            rooms_at_once: 3,
            thread: std::env::var("THREAD").is_ok(),
            ..Options::default()
        };
        let level = if random.bool() { Durability::Buffered } else { Durability::Synced };
        let open =
            || FileStore::open_with(folder.path(), level, options.clone()).expect("it opens");
        let mut file = open();
        let mut memory = MemoryStore::new();
        for step in 0..300 {
            let writes: Vec<Write> =
                (0..random.usize(..5)).map(|_| random_write(&mut random, &memory)).collect();
            let error = memory.commit(&writes).err().map(|error| error.to_string());
            let of_file = file.commit(&writes).err().map(|error| error.to_string());
            assert_eq!(of_file, error, "seed {seed}, step {step}");
            for _ in 0..random.usize(..6) {
                file.checkpoint_step().expect("a step");
            }
            match random.u8(..30) {
                0 => {
                    file.finish().expect("finished");
                    drop(file);
                    file = open();
                }
                1 => {
                    drop(file);
                    file = open();
                }
                3..6 => {
                    assert_agree(&file, &memory);
                    let mut tool = FileStore::open_read_only(folder.path())
                        .unwrap_or_else(|error| panic!("seed {seed} step {step} {error}"));
                    use stateroom_store::Reader;
                    let listed = tool.list().expect("read");
                    if listed != reader(&memory).list().expect("read") {
                        for entry in std::fs::read_dir(folder.path().join("log")).unwrap() {
                            let path = entry.unwrap().path();
                            let bytes = std::fs::read(&path).unwrap();
                            eprintln!("{path:?} {} first {:?}", bytes.len(), bytes.get(40..48));
                        }
                        eprintln!(
                            "seed {seed} step {step} {level:?} {:?} again {}",
                            file.monitor().figures(),
                            tool.list().expect("read") == reader(&memory).list().expect("read")
                        );
                        panic!();
                    }
                }
                _ => {}
            }
        }
        assert_agree(&file, &memory);
    }
}
