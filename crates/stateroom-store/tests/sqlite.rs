//! The store on disk, seen from outside: what is there when it is opened again, who may open it, what
//! a full or failing disk does, and that it stays small.

mod support;

use stateroom_store::{Durability, Reader, SqliteStore, Store, StoreError, StoredRoom};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use support::{append, delete, log_bytes, log_files, maintain_all, query, reader, snapshot};

fn open(folder: &Path) -> SqliteStore {
    SqliteStore::open(folder, Durability::Synced).expect("it opens")
}

fn cannot_open(folder: &Path) -> StoreError {
    SqliteStore::open(folder, Durability::Synced).expect_err("it must not open")
}

fn load(store: &dyn Store, room: &str) -> StoredRoom {
    reader(store).load(room).expect("read").expect("there")
}

/// A folder with a store of one room, which is closed.
fn with_lobby() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = open(folder.path());
    store
        .commit(&[snapshot("lobby", 0, b"state"), append("lobby", 0, 3, b"three")])
        .expect("committed");
    folder
}

#[test]
fn what_was_committed_is_there_when_it_is_opened_again() {
    let folder = with_lobby();
    let mut store = open(folder.path());
    assert_eq!(load(&store, "lobby").events(), 3);
    store.commit(&[append("lobby", 3, 1, b"four")]).expect("committed");
    drop(store);
    assert_eq!(load(&open(folder.path()), "lobby").events(), 4);
}

#[test]
fn a_folder_that_does_not_exist_is_made() {
    let folder = tempfile::tempdir().expect("a folder");
    let deep = folder.path().join("a/b?#%41 ü/c");
    open(&deep).commit(&[snapshot("lobby", 0, b"")]).expect("committed");
    let mut tool = SqliteStore::open_read_only(&deep).expect("it opens");
    assert_eq!(tool.list().expect("read").len(), 1);
}

#[test]
fn only_one_at_a_time_can_have_it() {
    let folder = with_lobby();
    let store = open(folder.path());
    assert!(matches!(cannot_open(folder.path()), StoreError::InUse { .. }));
    drop(store);
    open(folder.path());
}

#[test]
fn a_tool_reads_it_while_it_is_written_and_writes_nothing() {
    let folder = with_lobby();
    let files = || {
        let files = fs::read_dir(folder.path()).expect("a folder");
        let files = files.map(|entry| entry.expect("an entry").path());
        let files = files.filter(|path| path.is_file()).chain(log_files(folder.path()));
        files
            .map(|path| (path.clone(), fs::read(path).expect("a file")))
            .collect::<std::collections::BTreeMap<PathBuf, Vec<u8>>>()
    };
    let before = files();
    let mut tool = SqliteStore::open_read_only(folder.path()).expect("it opens");
    assert_eq!(tool.load("lobby").expect("read").expect("there").events(), 3);
    assert_eq!(files(), before);

    let mut store = open(folder.path());
    store.commit(&[append("lobby", 3, 1, b"four")]).expect("committed");
    assert_eq!(tool.load("lobby").expect("read").expect("there").events(), 4);
    assert_eq!(tool.list().expect("read"), reader(&store).list().expect("read"));
    store.commit(&[append("lobby", 4, 1, b"five")]).expect("committed");
    assert_eq!(tool.summary("lobby").expect("read").expect("there").events, 5);
}

#[test]
fn a_tool_says_that_there_is_no_store() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = SqliteStore::open_read_only(folder.path()).expect_err("there is none");
    assert!(matches!(error, StoreError::CannotOpen { .. }), "{error}");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
}

/// A store of that format, or so it says.
fn of_format(format: u32) -> tempfile::TempDir {
    let folder = with_lobby();
    let connection = rusqlite::Connection::open(folder.path().join("rooms.db")).expect("it opens");
    connection.pragma_update(None, "user_version", format).expect("changed");
    folder
}

#[test]
fn a_newer_format_is_refused() {
    let folder = of_format(3);
    let newer =
        |error: &StoreError| matches!(error, StoreError::NewerFormat { found: 3, known: 2, .. });
    let error = cannot_open(folder.path());
    assert!(newer(&error), "{error}");
    let error = SqliteStore::open_read_only(folder.path()).expect_err("newer");
    assert!(newer(&error), "{error}");
}

#[test]
fn a_format_that_was_given_up_is_refused() {
    let folder = of_format(1);
    let error = cannot_open(folder.path());
    assert!(matches!(error, StoreError::OlderFormat { found: 1, .. }), "{error}");
}

#[test]
fn a_foreign_file_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("rooms.db");
    let refused = || {
        let before = fs::read(&path).expect("a file");
        let error = cannot_open(folder.path());
        assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
        let error = SqliteStore::open_read_only(folder.path()).expect_err("foreign");
        assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
        assert_eq!(fs::read(&path).expect("a file"), before);
    };
    fs::write(&path, "the minutes of the meeting\n".repeat(1000)).expect("written");
    refused();
    fs::remove_file(&path).expect("removed");
    let foreign = rusqlite::Connection::open(&path).expect("it opens");
    foreign.execute("CREATE TABLE rooms (number INTEGER)", ()).expect("created");
    drop(foreign);
    refused();
}

#[test]
fn the_loss_of_the_file_is_not_taken_for_a_fresh_start() {
    let folder = with_lobby();
    let path = folder.path().join("rooms.db");
    fs::write(&path, "").expect("emptied");
    assert!(matches!(cannot_open(folder.path()), StoreError::DamagedFile { .. }));
    fs::remove_file(&path).expect("removed");
    let error = cannot_open(folder.path());
    assert!(matches!(error, StoreError::DamagedFile { .. }), "{error}");
    assert!(error.to_string().contains("lock"), "{error}");
    fs::remove_file(folder.path().join("lock")).expect("removed");
    open(folder.path());
}

#[test]
fn a_file_that_is_cut_off_is_refused() {
    let folder = with_lobby();
    let path = folder.path().join("rooms.db");
    let whole = fs::read(&path).expect("a file");
    for length in [100, 4096, whole.len() / 2, whole.len() - 4096] {
        fs::write(&path, &whole[..length]).expect("written");
        let error = cannot_open(folder.path());
        let refused =
            matches!(error, StoreError::DamagedFile { .. } | StoreError::NotAStore { .. });
        assert!(refused, "{length}: {error}");
    }
    fs::write(&path, &whole).expect("written");
    assert_eq!(load(&open(folder.path()), "lobby").events(), 3);
}

#[test]
fn a_full_store_refuses_and_goes_on() {
    let folder = with_lobby();
    let mut store = open(folder.path());
    let pages = query(folder.path(), "PRAGMA page_count");
    store.limit_pages(pages as u32 + 10).expect("limited");
    let large = append("lobby", 3, 1, &[1; 1 << 20]);
    for _ in 0..3 {
        let error = store.commit(std::slice::from_ref(&large)).expect_err("no space");
        assert!(matches!(error, StoreError::Full { .. }), "{error}");
    }
    assert_eq!(load(&store, "lobby").events(), 3);
    store.commit(&[append("lobby", 3, 1, b"small")]).expect("committed");
    store.limit_pages(u32::MAX - 1).expect("lifted");
    let large = append("lobby", 4, 1, &[1; 1 << 20]);
    store.commit(&[large]).expect("committed");
    drop(store);
    assert_eq!(load(&open(folder.path()), "lobby").events(), 5);
}

/// A file system of 8 MiB, which is gone when this is dropped. `None`, where it cannot be had.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(folder.path());
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        mounted.then_some(Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).output();
    }
}

#[test]
fn a_full_disk_refuses_and_the_store_goes_on() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("skipped: only root can mount a small disk");
        return;
    };
    let folder = disk.0.path().join("store");
    let mut store = open(&folder);
    store.commit(&[snapshot("lobby", 0, b"")]).expect("committed");
    let filler = disk.0.path().join("filler");
    fs::write(&filler, vec![1; 6 << 20]).expect("it fits");
    let mut events = 0;
    let error = loop {
        match store.commit(&[append("lobby", events, 1, &[1; 100_000])]) {
            Ok(()) => events += 1,
            Err(error) => break error,
        }
        assert!(events < 100, "it should be full");
    };
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    assert_eq!(load(&store, "lobby").events(), events);
    store.commit(&[append("lobby", events, 1, &[1; 100_000])]).expect_err("still full");
    fs::remove_file(&filler).expect("removed");
    store.commit(&[append("lobby", events, 1, &[1; 100_000])]).expect("there is space");
    drop(store);
    assert_eq!(load(&open(&folder), "lobby").events(), events + 1);
}

#[test]
fn a_read_only_folder_is_refused_but_can_be_read() {
    let folder = with_lobby();
    let view = tempfile::tempdir().expect("a folder");
    let mount = |options: &str| {
        let mut mount = Command::new("mount");
        mount.args(["-o", options]).arg(folder.path()).arg(view.path());
        mount.output().is_ok_and(|output| output.status.success())
    };
    if !mount("bind") || !mount("remount,bind,ro") {
        eprintln!("skipped: only root can make a folder read-only even to itself");
        return;
    }
    let refused = SqliteStore::open(view.path(), Durability::Synced).map(|_| ());
    let read = SqliteStore::open_read_only(view.path()).and_then(|mut tool| tool.load("lobby"));
    let _ = Command::new("umount").arg(view.path()).output();
    let error = refused.expect_err("read-only");
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
    assert_eq!(read.expect("read").expect("there").events(), 3);
}

#[test]
fn the_space_of_what_is_gone_is_given_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = SqliteStore::open(folder.path(), Durability::Buffered).expect("it opens");
    for room in 0..40 {
        let room = format!("room {room}");
        store
            .commit(&[snapshot(&room, 0, &[1; 500_000]), append(&room, 0, 1, &[1; 500_000])])
            .expect("committed");
    }
    maintain_all(&mut store);
    drop(store);
    let size = || {
        let database = fs::metadata(folder.path().join("rooms.db")).expect("a file").len();
        database + log_bytes(folder.path())
    };
    assert!(size() > 40_000_000, "{}", size());
    let mut store = open(folder.path());
    for room in 1..40 {
        store.commit(&[delete(&format!("room {room}"))]).expect("committed");
    }
    maintain_all(&mut store);
    drop(store);
    assert!(size() < 8_000_000, "{}", size());
    assert_eq!(load(&open(folder.path()), "room 0").tail[0].records.len(), 500_000);
}

#[test]
fn a_room_that_takes_no_snapshot_does_not_keep_the_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = SqliteStore::open(folder.path(), Durability::Buffered).expect("it opens");
    store.commit(&[snapshot("laggard", 0, b""), snapshot("busy", 0, b"")]).expect("committed");
    for at in 0..1000 {
        let mut writes = vec![append("busy", at, 1, &[1; 10_000])];
        if at % 10 == 0 {
            writes.push(append("laggard", at / 10, 1, &at.to_le_bytes()));
        }
        if at % 100 == 99 {
            writes.push(snapshot("busy", at + 1, b""));
        }
        store.commit(&writes).expect("committed");
    }
    let before = load(&store, "laggard");
    assert_eq!(before.tail.len(), 100);
    maintain_all(&mut store);
    assert_eq!(load(&store, "laggard"), before);
    let bytes = log_bytes(folder.path());
    assert!(bytes < 3_000_000, "the log still takes {bytes} bytes of 10,000,000");
    drop(store);

    let mut store = open(folder.path());
    assert_eq!(load(&store, "laggard"), before);
    store.commit(&[append("laggard", 100, 1, b"next")]).expect("committed");
    assert_eq!(load(&store, "laggard").events(), 101);
    store.commit(&[snapshot("laggard", 50, b"")]).expect("committed");
    assert_eq!(load(&store, "laggard").tail.len(), 51);
    store.commit(&[snapshot("laggard", 101, b"")]).expect("committed");
    assert_eq!(query(folder.path(), "SELECT count(*) FROM carried"), 0);
    drop(store);
    assert_eq!(load(&open(folder.path()), "laggard").events(), 101);
}

#[test]
fn the_write_ahead_log_stays_bounded_under_load() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = SqliteStore::open(folder.path(), Durability::Buffered).expect("it opens");
    store.commit(&[snapshot("lobby", 0, b"")]).expect("committed");
    let mut largest = 0;
    for at in 0..400 {
        let append = append("lobby", at, 1, &[1; 1 << 20]);
        store.commit(&[append, snapshot("lobby", at + 1, b"")]).expect("committed");
        store.maintain().expect("maintained");
        let size = fs::metadata(folder.path().join("rooms.db-wal")).expect("a file").len();
        largest = largest.max(size);
    }
    assert!(largest < 160 << 20, "{} MiB", largest >> 20);
}

#[test]
fn a_log_with_a_missing_file_is_refused() {
    let folder = with_lobby();
    for at in 3..6 {
        // Each time it is opened, it begins a file.
        open(folder.path()).commit(&[append("lobby", at, 1, b"x")]).expect("committed");
    }
    let files = log_files(folder.path());
    assert_eq!(files.len(), 4);
    for file in files {
        let bytes = fs::read(&file).expect("a file");
        fs::remove_file(&file).expect("removed");
        let error = cannot_open(folder.path());
        assert!(matches!(error, StoreError::DamagedFile { .. }), "{error}");
        assert!(error.to_string().contains("is missing"), "{error}");
        fs::write(&file, bytes).expect("written");
    }
    assert_eq!(load(&open(folder.path()), "lobby").events(), 6);
}

#[test]
fn the_log_is_gone_when_nothing_in_it_is_needed() {
    let folder = with_lobby();
    let mut store = open(folder.path());
    store.commit(&[append("lobby", 3, 1, b"x")]).expect("committed");
    assert!(!log_files(folder.path()).is_empty());
    store.commit(&[snapshot("lobby", 4, b"")]).expect("committed");
    drop(store);
    assert!(log_files(folder.path()).is_empty());
    // As does `rooms.db` alone.
    let copy = tempfile::tempdir().expect("a folder");
    fs::copy(folder.path().join("rooms.db"), copy.path().join("rooms.db")).expect("copied");
    let mut store = open(copy.path());
    assert_eq!(load(&store, "lobby").events(), 4);
    store.commit(&[append("lobby", 4, 1, b"y")]).expect("committed");
    drop(store);
    assert_eq!(load(&open(copy.path()), "lobby").tail[0].records, b"y");
}

#[test]
fn a_tool_reads_while_the_log_begins_anew_again_and_again() {
    let folder = with_lobby();
    let mut store = open(folder.path());
    let events = std::sync::atomic::AtomicU64::new(3);
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let mut tool = SqliteStore::open_read_only(folder.path()).expect("it opens");
            let mut read = 0;
            while events.load(std::sync::atomic::Ordering::SeqCst) < 63 {
                let before = events.load(std::sync::atomic::Ordering::SeqCst);
                let lobby = tool.load("lobby").expect("read").expect("there");
                assert!(lobby.events() >= before);
                read += 1;
            }
            read
        });
        for at in 3..63 {
            let large = append("lobby", at, 1, &[1; 1_100_000]);
            store.commit(&[large]).expect("committed");
            store.commit(&[snapshot("lobby", at + 1, b"")]).expect("committed");
            maintain_all(&mut store);
            events.store(at + 1, std::sync::atomic::Ordering::SeqCst);
        }
        assert!(reading.join().expect("it reads") > 0);
    });
    assert!(log_bytes(folder.path()) < 3_000_000);
}

#[test]
fn a_room_that_was_never_committed_leaves_nothing_to_the_next() {
    let folder = with_lobby();
    let mut store = open(folder.path());
    store.commit(&[append("lobby", 3, 1, b"x")]).expect("committed");
    let before = fs::read(folder.path().join("rooms.db-wal")).expect("a file");
    let database = fs::read(folder.path().join("rooms.db")).expect("a file");
    store.commit(&[snapshot("lost", 0, b""), append("lost", 0, 1, b"lost")]).expect("committed");
    // As if it had been killed after the log was written and before the database was.
    let copy = tempfile::tempdir().expect("a folder");
    support::copy(folder.path(), copy.path());
    fs::write(copy.path().join("rooms.db"), database).expect("written");
    fs::write(copy.path().join("rooms.db-wal"), before).expect("written");
    let mut store = open(copy.path());
    assert!(reader(&store).load("lost").expect("read").is_none());
    store.commit(&[snapshot("next", 0, b""), append("next", 0, 1, b"next")]).expect("committed");
    drop(store);
    let store = open(copy.path());
    assert_eq!(load(&store, "next").tail[0].records, b"next");
    assert_eq!(load(&store, "lobby").events(), 4);
}
