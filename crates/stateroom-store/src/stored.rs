//! What can be read from a store.

use crate::{ModuleHash, Vitals};
use std::sync::Arc;

/// All that it takes to bring a room back: its last snapshot, and the events since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRoom {
    /// The last snapshot.
    pub snapshot: StoredSnapshot,
    /// The journal after it, in order and without gaps: what each append wrote. The first may begin
    /// before the snapshot, which then holds the beginning of it; each tells its own position.
    pub tail: Vec<StoredRecords>,
    /// The room's timer and clients, as they were told last.
    pub vitals: Vitals,
}

impl StoredRoom {
    /// How many events the room has had in its life.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.tail.last().map_or(self.snapshot.at, StoredRecords::end)
    }
}

/// A room's state after some of its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSnapshot {
    /// After how many events.
    pub at: u64,
    /// Of which module the state is.
    pub module: ModuleHash,
    /// The state.
    pub state: Vec<u8>,
}

/// The records of one [`Append`](crate::Write::Append).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecords {
    /// How many events came before these.
    pub follows: u64,
    /// How many these are.
    pub events: u32,
    /// The events.
    pub records: Vec<u8>,
}

impl StoredRecords {
    /// How many events the room has had after these.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.follows.saturating_add(u64::from(self.events))
    }
}

/// What can be told of a room without reading its state and its journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomSummary {
    /// The room's id.
    pub room: Arc<str>,
    /// The module of its last snapshot.
    pub module: ModuleHash,
    /// Its timer and clients, as they were told last.
    pub vitals: Vitals,
    /// How many events it has had in its life.
    pub events: u64,
    /// How large its journal is, in bytes.
    pub journal_bytes: u64,
    /// How large its snapshot is, in bytes.
    pub snapshot_bytes: u64,
    /// How many events that were set aside are kept.
    pub quarantined: u32,
    /// Whether damage to it is known: then the rest may be wrong, and
    /// [`load`](crate::Reader::load) tells what it is. `false` is no promise, for here neither state
    /// nor journal is looked at.
    pub damaged: bool,
}

/// An event that was set aside since it failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// How many events the room had had when it failed.
    pub at: u64,
    /// When it failed, in nanoseconds since the Unix epoch.
    pub time: u64,
    /// Why.
    pub reason: String,
    /// The event.
    pub event: Vec<u8>,
}
