//! An entry of a record: one change of a room, or a module. Each has a checksum of its own, over itself
//! and its body, so that damage to one is told of that room alone.

use super::layout::{crc, u32_at};
use crate::{ModuleHash, Vitals};
use serde::{Deserialize, Serialize};

/// Where an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub(crate) struct Place {
    /// The record's position; 0 for nowhere.
    pub(crate) position: u64,
    /// Where in the record's table of contents it begins.
    pub(crate) at: u32,
}

/// Where a room stands after a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct After {
    /// After how many events its snapshot was taken.
    pub(crate) snapshot_at: u64,
    /// How many events it has had.
    pub(crate) events: u64,
    pub(crate) vitals: Vitals,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry<'a> {
    /// The room's id; empty for a module.
    pub(crate) room: &'a str,
    /// The entry of the same room before this one.
    pub(crate) back: Place,
    pub(crate) change: Change<'a>,
    pub(crate) body: Body,
    /// `snapshot_at`, `events`, `wake_at`, `clients`, `heard_at`; `None` after a deletion, and for modules.
    after: Option<(u64, u64, Option<u64>, u32, u64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Change<'a> {
    /// The body is the records.
    Append {
        follows: u64,
        events: u32,
    },
    /// The body is the state. `born` says that there was no such room before.
    Snapshot {
        at: u64,
        module: [u8; 32],
        born: bool,
    },
    /// The body is the event.
    Quarantine {
        at: u64,
        time: u64,
        reason: &'a str,
    },
    Delete,
    /// The body is the module.
    Module {
        hash: [u8; 32],
    },
}

/// What belongs to an entry, and is too long for a table of contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Body {
    /// In the record, so many bytes behind the table of contents.
    Here { at: u32, length: u32 },
    /// In a file of its own.
    Large(Large),
}

/// A state or module in a file of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Large {
    /// Names the file. Random.
    pub(crate) name: u128,
    pub(crate) length: u64,
    pub(crate) check: u32,
}

impl<'a> Entry<'a> {
    pub(crate) fn new(
        room: &'a str,
        back: Place,
        change: Change<'a>,
        body: Body,
        after: Option<After>,
    ) -> Self {
        let after = after.map(|After { snapshot_at, events, vitals }| {
            (snapshot_at, events, vitals.wake_at, vitals.clients, vitals.heard_at)
        });
        Entry { room, back, change, body, after }
    }

    /// Where the room stands then.
    pub(crate) fn after(&self) -> Option<After> {
        let (snapshot_at, events, wake_at, clients, heard_at) = self.after?;
        Some(After { snapshot_at, events, vitals: Vitals { wake_at, clients, heard_at } })
    }

    /// Adds it to a table of contents.
    pub(crate) fn encode(&self, table: Vec<u8>, body: &[u8]) -> Vec<u8> {
        let begin = table.len();
        // A vector takes whatever it is given, and the types above can all be written.
        let mut table = postcard::to_extend(self, table).unwrap_or_default();
        let check = crc(crc(0, table.get(begin..).unwrap_or_default()), body);
        table.extend_from_slice(&check.to_le_bytes());
        table
    }

    /// The first entry in `table`, and where the next one begins; `None` if it makes no sense.
    pub(crate) fn decode(table: &'a [u8]) -> Option<(Coded<'a>, usize)> {
        let (entry, rest) = postcard::take_from_bytes::<Entry<'a>>(table).ok()?;
        let bytes = table.len().checked_sub(rest.len())?;
        let check = u32_at(rest, 0)?;
        let begun = crc(0, table.get(..bytes)?);
        Some((Coded { entry, begun, check }, bytes + 4))
    }

    /// How many bytes of the record's bodies are its own.
    pub(crate) fn body_here(&self) -> (u32, u32) {
        match self.body {
            Body::Here { at, length } => (at, length),
            Body::Large(_) => (0, 0),
        }
    }

    pub(crate) fn module(&self) -> Option<ModuleHash> {
        match self.change {
            Change::Snapshot { module: hash, .. } | Change::Module { hash } => {
                Some(ModuleHash(hash))
            }
            _ => None,
        }
    }
}

/// An entry as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Coded<'a> {
    pub(crate) entry: Entry<'a>,
    /// The checksum of the entry's own bytes.
    pub(crate) begun: u32,
    /// The one that goes on over the body.
    pub(crate) check: u32,
}

impl Coded<'_> {
    /// Whether it and its body are as they were written.
    pub(crate) fn is_intact(&self, body: &[u8]) -> bool {
        crc(self.begun, body) == self.check
    }
}
