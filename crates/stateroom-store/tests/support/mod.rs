//! Short ways to write what the tests write.

#![allow(dead_code)]

use stateroom_store::{ModuleHash, Reader, Store, Vitals, Write};
use std::sync::Arc;

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
