//! What becomes of the folder of a store: what is missing, damaged, foreign, of another format, or moved.

mod support;

use stateroom_store::{
    Durability, FileStore, ModuleHash, Options, Reader, Store, StoreError, Vitals, Write,
    files::{Chances, SimFiles},
};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use support::{append, quarantine, reader, snapshot};

fn open(folder: &Path) -> Result<FileStore, StoreError> {
    FileStore::open(folder, Durability::Synced)
}

/// Files so small that most is in the checkpoint soon.
fn small() -> Options {
    Options {
        segment_bytes: 2_000,
        large_bytes: 5_000,
        thread: false,
        finish_time: Duration::MAX,
        ..Options::default()
    }
}

fn open_small(folder: &Path) -> FileStore {
    FileStore::open_with(folder, Durability::Synced, small()).expect("it opens")
}

/// Writes some records, the last of which is in no checkpoint.
fn fill(store: &mut FileStore) {
    store.commit(&[snapshot("a", 0, b"of a"), snapshot("b", 0, b"of b")]).expect("committed");
    for at in 0..20 {
        store.commit(&[append("a", at, 1, &[1; 300])]).expect("committed");
        store.commit(&[append("b", at, 1, &[2; 10])]).expect("committed");
        while store.checkpoint_step().expect("a step") {}
    }
}

fn events(store: &dyn Store, room: &str) -> u64 {
    reader(store).load(room).expect("read").expect("there").events()
}

/// The files of the log that have something, the oldest first.
fn log_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.join("log")).expect("a folder");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| fs::read(file).expect("a file").iter().any(|byte| *byte != 0));
    files.sort();
    files
}

fn flip(file: &Path, byte: usize) {
    let mut bytes = fs::read(file).expect("a file");
    bytes[byte] ^= 1;
    fs::write(file, bytes).expect("written");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let to = to.join(path.file_name().expect("a name"));
        if path.is_dir() { copy(&path, &to) } else { assert!(fs::copy(&path, &to).is_ok()) }
    }
}

#[test]
fn a_checkpoint_without_its_write_ahead_log_is_never_taken_for_a_fresh_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = open_small(folder.path());
    fill(&mut store);
    drop(store);
    let copied = tempfile::tempdir().expect("a folder");
    for lost in ["rooms.db-wal", "rooms.db"] {
        copy(folder.path(), copied.path());
        fs::remove_file(copied.path().join(lost)).expect("removed");
        let error = open(copied.path()).expect_err("a part of it is missing");
        assert!(matches!(error, StoreError::DamagedFile { .. }), "{error}");
    }
    assert_eq!(events(&open_small(folder.path()), "a"), 20);
}

#[test]
fn a_checkpoint_is_made_anew_while_the_log_has_all() {
    for lost in
        [&["rooms.db-wal"][..], &["rooms.db"], &["rooms.db", "rooms.db-wal", "rooms.db-shm"]]
    {
        let folder = tempfile::tempdir().expect("a folder");
        let mut store = open(folder.path()).expect("it opens");
        store.commit(&[snapshot("a", 0, b"of a"), append("a", 0, 3, b"123")]).expect("committed");
        drop(store);
        for name in lost {
            fs::remove_file(folder.path().join(name)).expect("removed");
        }
        assert_eq!(events(&open(folder.path()).expect("it opens"), "a"), 3);
    }
}

#[test]
fn a_missing_log_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = open_small(folder.path());
    fill(&mut store);
    drop(store);
    fs::remove_dir_all(folder.path().join("log")).expect("removed");
    let error = open(folder.path()).expect_err("it is missing");
    assert!(error.to_string().contains("though a store was kept here"), "{error}");
    fs::remove_dir_all(folder.path()).expect("removed");
    open(folder.path()).expect("a new one");
}

#[test]
fn a_folder_of_a_format_that_was_given_up_is_refused_untouched() {
    for (version, id) in [(1, 0x5352_7374), (2, 0x5352_7374)] {
        let folder = tempfile::tempdir().expect("a folder");
        let database = folder.path().join("rooms.db");
        let connection = rusqlite::Connection::open(&database).expect("it opens");
        let sql = format!(
            "PRAGMA application_id = {id}; PRAGMA user_version = {version}; CREATE TABLE rooms (x);"
        );
        connection.execute_batch(&sql).expect("made");
        drop(connection);
        let before = fs::read(&database).expect("a file");
        let error = open(folder.path()).expect_err("it is old");
        assert!(
            matches!(error, StoreError::OlderFormat { found, .. } if found == version),
            "{error}"
        );
        let error = FileStore::open_read_only(folder.path()).expect_err("it is old");
        assert!(matches!(error, StoreError::OlderFormat { .. }), "{error}");
        assert_eq!(fs::read(&database).expect("a file"), before);
        assert!(!folder.path().join("log").exists());
    }
}

#[test]
fn what_is_foreign_or_newer_is_refused_untouched() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("rooms.db"), b"a text").expect("written");
    let error = open(folder.path()).expect_err("it is foreign");
    assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
    assert_eq!(fs::read(folder.path().join("rooms.db")).expect("a file"), b"a text");

    let folder = tempfile::tempdir().expect("a folder");
    drop(open(folder.path()).expect("it opens"));
    let file = log_files(folder.path()).pop().expect("a file");
    let mut bytes = fs::read(&file).expect("a file");
    bytes[8] = 2;
    fs::write(&file, bytes).expect("written");
    let error = open(folder.path()).expect_err("it is newer");
    assert!(matches!(error, StoreError::NewerFormat { found: 2, known: 1, .. }), "{error}");
}

#[test]
fn a_folder_in_which_no_store_was_begun_yet_has_no_rooms_and_a_foreign_one_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut reader = FileStore::open_read_only(folder.path()).expect("it is empty");
    assert_eq!(reader.list().expect("read"), []);

    fs::write(folder.path().join("notes.txt"), b"a text").expect("written");
    for place in [folder.path(), &folder.path().join("missing")] {
        let error = FileStore::open_read_only(place).expect_err("it is no store");
        assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
    }
}

#[test]
fn a_flipped_bit_is_told_or_harmless_wherever_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = open(folder.path()).expect("it opens");
    store.commit(&[snapshot("a", 0, b"of a"), snapshot("b", 0, b"of b")]).expect("committed");
    store.commit(&[append("a", 0, 1, b"one")]).expect("committed");
    store.commit(&[append("b", 0, 1, b"two")]).expect("committed");
    store.commit(&[append("b", 1, 1, b"three")]).expect("committed");
    let file = log_files(folder.path()).pop().expect("a file");
    drop(store);
    // The last record is one that nothing later can vouch for.
    let length =
        fs::read(&file).expect("a file").iter().rposition(|byte| *byte != 0).expect("some");
    for byte in (0..length - 100).step_by(3) {
        let copied = tempfile::tempdir().expect("a folder");
        copy(folder.path(), copied.path());
        flip(&copied.path().join("log").join(file.file_name().expect("a name")), byte);
        let store = match open(copied.path()) {
            Err(StoreError::DamagedFile { .. } | StoreError::NewerFormat { .. }) => continue,
            store => store.expect("it opens"),
        };
        let mut reader = reader(&store);
        for (room, events) in [("a", 1), ("b", 2)] {
            match reader.load(room) {
                Err(StoreError::Damaged { .. }) => {}
                loaded => {
                    let loaded = loaded.expect("read").expect("there");
                    assert_eq!(loaded.events(), events, "byte {byte}");
                }
            }
        }
    }
}

#[test]
fn damage_to_one_room_is_no_other_rooms() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = open(folder.path()).expect("it opens");
    store.commit(&[snapshot("a", 0, b"of a"), snapshot("b", 0, b"of b")]).expect("committed");
    store.commit(&[append("a", 0, 1, b"needle"), append("b", 0, 1, b"fine")]).expect("committed");
    store.commit(&[append("b", 1, 1, b"more")]).expect("committed");
    drop(store);
    let file = log_files(folder.path()).pop().expect("a file");
    let bytes = fs::read(&file).expect("a file");
    let at = bytes.windows(6).position(|bytes| bytes == b"needle").expect("it is there");
    flip(&file, at);
    for _ in 0..2 {
        // Through a checkpoint too.
        let mut store = open(folder.path()).expect("it opens");
        let error = reader(&store).load("a").expect_err("it is damaged");
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
        assert_eq!(events(&store, "b"), 2);
        store.finish().expect("finished");
    }
    let mut store = open(folder.path()).expect("it opens");
    store.commit(&[snapshot("a", 1, b"healed")]).expect("committed");
    assert_eq!(events(&store, "a"), 1);
}

#[test]
fn an_orderly_end_leaves_little_and_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = open(folder.path()).expect("it opens");
    store.commit(&[snapshot("a", 0, &[3; 300_000]), append("a", 0, 2, b"12")]).expect("committed");
    store.commit(&[quarantine("a", 2, "trap")]).expect("committed");
    store.finish().expect("finished");
    store.commit(&[append("a", 2, 1, b"3")]).expect_err("it has ended");
    drop(store);
    let bytes: u64 =
        log_files(folder.path()).iter().map(|file| fs::metadata(file).expect("a file").len()).sum();
    assert!(bytes < 1_000, "{bytes}");
    assert_eq!(fs::metadata(folder.path().join("rooms.db-wal")).map_or(0, |it| it.len()), 0);
    // Now the write-ahead log is not needed.
    let _ = fs::remove_file(folder.path().join("rooms.db-wal"));
    let mut tool = FileStore::open_read_only(folder.path()).expect("it opens");
    assert_eq!(tool.load("a").expect("read").expect("there").snapshot.state.len(), 300_000);
    let store = open(folder.path()).expect("it opens");
    assert_eq!(events(&store, "a"), 2);
    assert_eq!(reader(&store).quarantined("a").expect("read").len(), 1);
}

#[test]
fn space_comes_back() {
    for level in [Durability::Synced, Durability::Buffered] {
        let folder = tempfile::tempdir().expect("a folder");
        let store = FileStore::open_with(folder.path(), level, small());
        space_comes_back_in(folder.path(), store.expect("it opens"));
    }
}

fn space_comes_back_in(folder: &Path, mut store: FileStore) {
    store.commit(&[snapshot("a", 0, b"")]).expect("committed");
    for at in 0..300 {
        store.commit(&[snapshot("a", at, &vec![4; 6_000])]).expect("committed");
        store.commit(&[append("a", at, 1, &[1; 200])]).expect("committed");
        while store.checkpoint_step().expect("a step") {}
        let figures = store.monitor().figures();
        assert!(figures.log_bytes < 4 * 2_000 + 1_000, "{figures:?}");
        assert!(figures.large_bytes <= 4 * 6_000, "{figures:?}");
        let large = fs::read_dir(folder.join("large")).expect("a folder").count();
        assert!(large <= 4, "{large} large files");
    }
}

/// A byte of the first record of a file, behind the header.
const IN_THE_FIRST_HEAD: usize = 96 + 10;

#[test]
fn a_checkpoint_that_cannot_go_on_is_told_and_the_log_does_not_grow_without_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = open_small(folder.path());
    let monitor = store.monitor();
    store.commit(&[snapshot("a", 0, b"")]).expect("committed");
    let damaged = log_files(folder.path()).pop().expect("a file");
    flip(&damaged, IN_THE_FIRST_HEAD);
    let mut at = 0;
    let refused = loop {
        match store.commit(&[append("a", at, 1, &[1; 200])]) {
            Ok(()) => at += 1,
            Err(error) => break error,
        }
        let _ = store.checkpoint_step();
        assert!(at < 1_000, "nothing is refused");
        assert!(monitor.figures().log_bytes < 6 * 2_000, "{:?}", monitor.figures());
    };
    assert!(at > 10, "{refused} after {at} events");
    assert!(matches!(refused, StoreError::Unreadable { .. }), "{refused}");
    assert_eq!(monitor.check().expect_err("it cannot go on").to_string(), refused.to_string());

    // As when a disk can be read again.
    flip(&damaged, IN_THE_FIRST_HEAD);
    while store.checkpoint_step().expect("a step") {}
    monitor.check().expect("all is well");
    store.commit(&[append("a", at, 1, &[1; 200])]).expect("committed");
    assert_eq!(events(&store, "a"), at + 1);
}

#[test]
fn the_database_gets_smaller_when_rooms_are_gone() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options { segment_bytes: 1 << 20, thread: false, ..Options::default() };
    let store = FileStore::open_with(folder.path(), Durability::Synced, options);
    let mut store = store.expect("it opens");
    let length = || fs::metadata(folder.path().join("rooms.db")).expect("a file").len();
    let names: Vec<String> = (0..80).map(|number| format!("room {number}")).collect();
    for name in &names {
        store.commit(&[snapshot(name, 0, &vec![4; 200_000])]).expect("committed");
        while store.checkpoint_step().expect("a step") {}
    }
    assert!(length() > 12 << 20, "{}", length());
    for name in &names {
        store.commit(&[Write::Delete { room: name.as_str().into() }]).expect("committed");
    }
    // So that what was written before is applied.
    for at in 0..20 {
        store.commit(&[snapshot("other", at, &vec![5; 100_000])]).expect("committed");
        while store.checkpoint_step().expect("a step") {}
    }
    assert!(length() < 3 << 20, "{}", length());
}

#[test]
fn a_folder_that_is_not_ours_any_more_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("store");
    // Without the thread, which may just make a file for what is written next, and could not.
    let options = Options { thread: false, ..Options::default() };
    let mut store = FileStore::open_with(&place, Durability::Synced, options).expect("it opens");
    store.commit(&[snapshot("a", 0, b"")]).expect("committed");
    let monitor = store.monitor();
    monitor.check().expect("all is well");
    fs::rename(&place, folder.path().join("elsewhere")).expect("moved");
    monitor.check().expect_err("it is gone");
    fs::create_dir(&place).expect("made");
    let error = monitor.check().expect_err("it is another one");
    assert!(matches!(error, StoreError::Moved { .. }), "{error}");
    let refused = store.commit(&[append("a", 0, 1, b"lost")]).expect_err("it would be lost");
    assert!(matches!(refused, StoreError::Moved { .. }), "{refused}");
    fs::remove_dir(&place).expect("removed");
    fs::rename(folder.path().join("elsewhere"), &place).expect("moved back");
    monitor.check().expect("all is well again");
    store.commit(&[append("a", 0, 1, b"kept")]).expect("committed");
}

#[test]
fn a_disk_that_is_full_is_told_until_something_is_written_again() {
    let files = SimFiles::new(1);
    let options = Options { thread: false, files: Arc::new(files.clone()), ..Options::default() };
    let mut store =
        FileStore::open_with(Path::new("/rooms"), Durability::Synced, options).expect("it opens");
    store.commit(&[snapshot("a", 0, b"")]).expect("committed");
    let monitor = store.monitor();
    monitor.check().expect("all is well");
    files.set_chances(Chances { full: 1.0, ..Chances::default() });
    store.commit(&[append("a", 0, 1, b"refused")]).expect_err("there is no space");
    let error = monitor.check().expect_err("nothing can be written");
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    files.set_chances(Chances::default());
    store.commit(&[append("a", 0, 1, b"written")]).expect("there is space again");
    monitor.check().expect("all is well again");
}

#[test]
#[cfg(unix)]
fn a_database_that_is_gone_is_told_and_nothing_more_is_called_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = open(folder.path()).expect("it opens");
    store.commit(&[snapshot("a", 0, b"")]).expect("committed");
    let monitor = store.monitor();
    monitor.check().expect("all is well");
    fs::remove_file(folder.path().join("rooms.db")).expect("removed");
    let error = monitor.check().expect_err("it is gone");
    assert!(matches!(error, StoreError::Moved { .. }), "{error}");
    store.commit(&[append("a", 0, 1, b"lost")]).expect_err("it may be lost");
}

#[test]
#[cfg(unix)]
fn a_folder_whose_lock_file_was_removed_is_in_use_all_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).expect("it opens");
    fs::remove_file(folder.path().join("lock")).expect("removed");
    let error = open(folder.path()).expect_err("it is in use");
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    drop(store);
}

/// What the folder of a released format has.
fn known(store: &mut dyn Reader) {
    let lobby = store.load("lobby").expect("read").expect("there");
    assert_eq!((lobby.snapshot.at, lobby.snapshot.state.as_slice()), (3, &b"a state"[..]));
    assert_eq!(lobby.tail.last().map(|it| it.records.as_slice()), Some(&b"six"[..]));
    assert_eq!(lobby.vitals, Vitals { wake_at: Some(9), clients: 2, heard_at: 7 });
    let large = store.load("large").expect("read").expect("there");
    assert_eq!(large.snapshot.state, vec![5; 6_000]);
    assert_eq!(store.quarantined("lobby").expect("read").len(), 1);
    assert_eq!(store.module(&ModuleHash([7; 32])).expect("read"), Some(b"code".to_vec()));
    assert_eq!(store.load("gone").expect("read"), None);
}

#[test]
fn a_folder_of_format_1_is_read_and_written() {
    let folder = tempfile::tempdir().expect("a folder");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats/v1"), folder.path());
    known(&mut FileStore::open_read_only(folder.path()).expect("it opens"));
    let mut store = open(folder.path()).expect("it opens");
    known(&mut *reader(&store));
    store.commit(&[append("lobby", 6, 1, b"seven")]).expect("committed");
    store.finish().expect("finished");
    drop(store);
    assert_eq!(events(&open(folder.path()).expect("it opens"), "lobby"), 7);
}

/// Makes the folder of the test above: with a checkpoint, a log behind it, and a large state.
#[test]
#[ignore = "makes test data; never to be run again for a format that was released"]
fn make_a_folder_of_format_1() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats/v1");
    let _ = fs::remove_dir_all(&folder);
    let mut store = open_small(&folder);
    let vitals = Vitals { wake_at: Some(9), clients: 2, heard_at: 7 };
    let room: std::sync::Arc<str> = "lobby".into();
    let write = |follows, records: &[u8]| {
        let (room, records) = (room.clone(), records.to_vec());
        Write::Append { room, follows, events: 1, records, vitals }
    };
    let module = Write::Module { hash: ModuleHash([7; 32]), bytes: b"code".to_vec() };
    store.commit(&[module, snapshot("gone", 0, b""), snapshot("large", 0, &[5; 6_000])]).unwrap();
    store.commit(&[snapshot("lobby", 3, b"a state"), write(3, b"four")]).unwrap();
    store.commit(&[write(4, &[1; 2_000]), quarantine("lobby", 5, "trap")]).unwrap();
    store.commit(&[Write::Delete { room: "gone".into() }]).unwrap();
    while store.checkpoint_step().unwrap() {}
    store.commit(&[write(5, b"six")]).unwrap();
    drop(store);
    let _ = fs::remove_file(folder.join("rooms.db-shm"));
}

#[test]
fn a_store_that_has_no_time_for_its_checkpoint_at_the_end_is_whole_at_the_next_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let hasty = Options { thread: true, finish_time: Duration::ZERO, ..small() };
    let mut store =
        FileStore::open_with(folder.path(), Durability::Synced, hasty).expect("it opens");
    store.commit(&[snapshot("a", 0, b"of a"), snapshot("b", 0, b"of b")]).expect("committed");
    store.commit(&[append("a", 0, 1, &[1; 300])]).expect("committed");
    assert!(matches!(store.finish(), Err(StoreError::Unfinished)));
    drop(store);
    let mut store = open_small(folder.path());
    assert_eq!((events(&store, "a"), events(&store, "b")), (1, 0));
    store.finish().expect("it has time now");
}

#[test]
fn what_a_store_has_no_time_to_checkpoint_at_the_end_is_on_the_disk() {
    let files = SimFiles::new(1);
    let options = Options { rooms_at_once: 1, files: Arc::new(files.clone()), ..small() };
    let open = |finish_time| {
        let options = Options { finish_time, ..options.clone() };
        FileStore::open_with(Path::new("/rooms"), Durability::Buffered, options).expect("it opens")
    };
    let mut store = open(Duration::ZERO);
    let rooms: Vec<String> = (0..5).map(|number| format!("room {number}")).collect();
    for room in &rooms {
        store.commit(&[snapshot(room, 0, b"new")]).expect("committed");
    }
    for at in 0..40 {
        for room in &rooms {
            store.commit(&[append(room, at, 1, &[1; 100])]).expect("committed");
        }
        if at == 20 {
            // It has begun with what there is.
            for _ in 0..4 {
                store.checkpoint_step().expect("a step");
            }
        }
    }
    assert!(matches!(store.finish(), Err(StoreError::Unfinished)));
    drop(store);
    files.cut_power();
    let store = open(Duration::MAX);
    for room in &rooms {
        assert_eq!(events(&store, room), 40, "{room}");
    }
}
