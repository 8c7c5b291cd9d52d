//! Short ways to write what the tests write.

#![allow(dead_code)]

use stateroom_store::{ModuleHash, Reader, Store, Vitals, Write};
use std::{path::Path, sync::Arc};

pub(crate) const MODULE: ModuleHash = ModuleHash([7; 32]);

pub(crate) fn clients(clients: u32) -> Vitals {
    Vitals { wake_at: None, clients }
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
