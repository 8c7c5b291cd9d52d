//! Short ways to write what the tests write.

#![allow(dead_code)]

use stateroom_store::{ModuleHash, Reader, Store, Vitals, Write};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

pub(crate) const MODULE: ModuleHash = ModuleHash([7; 32]);

pub(crate) fn clients(clients: u32) -> Vitals {
    Vitals { wake_at: None, clients, heard_at: 0 }
}

pub(crate) fn append(room: &str, follows: u64, events: u32, records: &[u8]) -> Write {
    let vitals = clients(1);
    Write::Append { room: room.into(), follows, events, records: records.to_vec(), vitals }
}

pub(crate) fn snapshot(room: &str, at: u64, state: &[u8]) -> Write {
    let (room, state) = (room.into(), state.to_vec());
    Write::Snapshot { room, at, module: MODULE, state, vitals: Vitals::default() }
}

pub(crate) fn quarantine(room: &str, at: u64, reason: &str) -> Write {
    let (room, reason): (Arc<str>, _) = (room.into(), reason.to_owned());
    Write::Quarantine { room, at, time: 1_000 + at, reason, event: b"bad".to_vec() }
}

pub(crate) fn delete(room: &str) -> Write {
    Write::Delete { room: room.into() }
}

pub(crate) fn reader(store: &dyn Store) -> Box<dyn Reader> {
    store.reader().expect("a reader")
}

/// Reads a number from the file by another program's means.
pub(crate) fn query(folder: &Path, sql: &str) -> i64 {
    let connection = rusqlite::Connection::open(folder.join("rooms.db")).expect("it opens");
    connection.query_row(sql, (), |row| row.get(0)).expect("it answers")
}

/// Changes the file behind the store's back. The store is closed.
pub(crate) fn tamper(folder: &Path, sql: &str) {
    let connection = rusqlite::Connection::open(folder.join("rooms.db")).expect("it opens");
    let changed = connection.execute(sql, ()).expect("it is carried out");
    assert!(changed > 0, "{sql} changed nothing");
}

/// Maintains until there is no more to do.
pub(crate) fn maintain_all(store: &mut dyn Store) {
    for _ in 0..100_000 {
        if !store.maintain().expect("maintained") {
            return;
        }
    }
    panic!("there is no end to the maintenance");
}

/// The files of the log, in order.
pub(crate) fn log_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder.join("log")) else { return Vec::new() };
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

/// How many bytes the log takes.
pub(crate) fn log_bytes(folder: &Path) -> u64 {
    let files = log_files(folder);
    files.iter().map(|file| fs::metadata(file).expect("a file").len()).sum()
}

/// Copies a store as it is at this moment, which its process must not change meanwhile.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.join("log")).expect("a folder");
    let names = ["rooms.db", "rooms.db-wal", "lock"].map(PathBuf::from);
    let log = log_files(from).into_iter().map(|file| file.strip_prefix(from).unwrap().to_owned());
    for name in names.into_iter().chain(log) {
        if from.join(&name).exists() {
            fs::copy(from.join(&name), to.join(&name)).expect("copied");
        }
    }
}

/// Makes a file of a closed store what it was.
pub(crate) fn restore(path: &Path, bytes: &[u8]) {
    for end in ["-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(end);
        let _ = fs::remove_file(file);
    }
    fs::write(path, bytes).expect("written");
}

/// The checksum of the row of the table `log`, as FORMAT.md has it.
pub(crate) fn standing_check(first: i64, newest: i64, boot: &str) -> u32 {
    let mut check = crc32fast::Hasher::new();
    let mut add = |bytes: &[u8]| check.update(bytes);
    add(&1_u64.to_le_bytes());
    add(b"N");
    add(&first.to_le_bytes());
    add(&newest.to_le_bytes());
    add(&(boot.len() as u64).to_le_bytes());
    add(boot.as_bytes());
    check.finalize()
}
