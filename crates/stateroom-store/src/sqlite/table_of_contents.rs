//! The table of contents of a row of the log: which events of which rooms it holds, and where. A row
//! holds all appends of one commit. Its table is kept twice, each with a checksum of its own, since
//! without it nobody could tell what is lost.

use super::{checksum, index::Span};
use crate::Vitals;
use serde::{Deserialize, Serialize};

/// One append. The bodies lie in the order of these, without gaps.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Number of the room: `rooms.number`.
    pub(crate) number: i64,
    pub(crate) follows: u64,
    pub(crate) events: u32,
    pub(crate) wake_at: Option<u64>,
    pub(crate) clients: u32,
    /// How many bytes its body has.
    pub(crate) length: u32,
    /// The checksum of its body.
    pub(crate) check: u32,
}

impl Entry {
    /// What the index keeps of it, where it is in the row of `position` and its body begins there.
    pub(crate) fn span(&self, position: i64, offset: u32) -> Span {
        let Self { follows, events, length, check, .. } = *self;
        Span { follows, events, position, offset, length, check }
    }

    pub(crate) fn vitals(&self) -> Vitals {
        Vitals { wake_at: self.wake_at, clients: self.clients, heard_at: 0 }
    }
}

/// What the row of `position` gets as its table of contents.
pub(crate) fn encode(position: i64, entries: &[Entry]) -> Result<Vec<u8>, postcard::Error> {
    let mut bytes = postcard::to_extend(entries, vec![0; 4])?;
    let (check, contents) = bytes.split_at_mut(4);
    check.copy_from_slice(&checksum::contents(position, contents).to_le_bytes());
    Ok(bytes)
}

/// The entries, or `None` if `bytes` is not what was written to the row of `position`.
pub(crate) fn decode(position: i64, bytes: &[u8]) -> Option<Vec<Entry>> {
    let (check, contents) = bytes.split_first_chunk()?;
    if u32::from_le_bytes(*check) != checksum::contents(position, contents) {
        return None;
    }
    let (entries, rest) = postcard::take_from_bytes(contents).ok()?;
    rest.is_empty().then_some(entries)
}
