//! What was said to the sessions of a room and may have to be said again: once for all of them, bounded in bytes.

use super::{
    fault::{Fault, is_on},
    number::MAX_NUMBER,
};
use crate::command::{MessageKind, Recipients};
use serde::{Deserialize, Serialize};
use stateroom::ClientId;
use std::{
    collections::VecDeque,
    hash::{Hash, Hasher},
};

/// Messages of one chunk take no more together; a larger one has a chunk of its own.
const CHUNK_BYTES: usize = 64 * 1024;

/// How many entries there may be a place for, though there are none.
const SPARE_ENTRIES: usize = 64;

/// A place for so many is not kept while there are none: most rooms are quiet most of the time.
const FEW_ENTRIES: usize = 8;

/// A chunk that was dropped is kept for the next one from this many bytes on: a room in which so much is said would
/// else give memory back to the system, and take it again, all the time.
const WORTH_KEEPING: usize = 4 * 1024;

/// What an entry costs besides its payload.
const ENTRY_BYTES: usize = size_of::<Entry>();

/// The last messages to sessions of a room, in order. Each has a place, from 0 in the room's life.
#[derive(Debug, Clone, Default, Hash)]
pub(super) struct Ring {
    entries: VecDeque<Entry>,
    chunks: VecDeque<Vec<u8>>,
    /// How many chunks came before the first that is there.
    chunks_gone: u32,
    /// The place of the next message.
    head: u64,
    bytes: usize,
    spare: Spare,
}

/// A chunk that was dropped, for the next one. It is of no meaning.
#[derive(Debug, Clone, Default)]
struct Spare(Vec<u8>);

impl Hash for Spare {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

#[derive(Debug, Clone, Copy, Hash)]
struct Entry {
    to: Recipients,
    kind: MessageKind,
    chunk: u32,
    start: u32,
    length: u32,
}

/// A message in the ring, as it is written to a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kept<'a> {
    pub(super) to: Recipients,
    pub(super) kind: MessageKind,
    pub(super) bytes: &'a [u8],
}

impl Kept<'_> {
    fn is_for(&self, client: ClientId) -> bool {
        is_for(self.to, client)
    }
}

fn is_for(to: Recipients, client: ClientId) -> bool {
    match to {
        Recipients::All => true,
        Recipients::AllExcept(other) => other != client,
        Recipients::One(one) => one == client,
    }
}

impl Ring {
    /// The place of the next message.
    pub(super) fn head(&self) -> u64 {
        self.head
    }

    /// The place of the first message that is there.
    pub(super) fn floor(&self) -> u64 {
        self.head - self.entries.len() as u64
    }

    /// What it takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn push(&mut self, to: Recipients, kind: MessageKind, bytes: &[u8]) {
        let fits = |chunk: &Vec<u8>| chunk.len() + bytes.len() <= CHUNK_BYTES;
        if !self.chunks.back().is_some_and(fits) {
            let mut chunk = std::mem::take(&mut self.spare.0);
            if !self.chunks.is_empty() {
                // It is likely to be filled.
                chunk.reserve_exact(CHUNK_BYTES);
            }
            self.chunks.push_back(chunk);
        }
        let chunk = self.chunks_gone.wrapping_add(self.chunks.len() as u32 - 1);
        let Some(last) = self.chunks.back_mut() else { return };
        let (start, length) = (last.len() as u32, bytes.len() as u32);
        last.extend_from_slice(bytes);
        self.entries.push_back(Entry { to, kind, chunk, start, length });
        self.head += 1;
        self.bytes += ENTRY_BYTES + bytes.len();
    }

    /// Drops the oldest messages until the others take at most `bound` bytes, and none at `end` or after.
    pub(super) fn trim(&mut self, bound: usize, end: u64) {
        while self.bytes > bound && self.floor() < end {
            let Some(gone) = self.entries.pop_front() else { break };
            self.bytes -= ENTRY_BYTES + gone.length as usize;
        }
        let first = self.entries.front().map(|entry| entry.chunk);
        while first != Some(self.chunks_gone)
            && let Some(mut gone) = self.chunks.pop_front()
        {
            self.chunks_gone = self.chunks_gone.wrapping_add(1);
            gone.clear();
            self.spare = Spare(gone);
        }
        if !(WORTH_KEEPING..=CHUNK_BYTES).contains(&self.spare.0.capacity()) {
            self.spare = Spare::default();
        }
        if self.entries.is_empty() && self.entries.capacity() <= FEW_ENTRIES {
            self.shrink();
        }
        // What a burst has taken is given back, and not at each step.
        if self.entries.capacity() > SPARE_ENTRIES.max(4 * self.entries.len()) {
            self.entries.shrink_to(2 * self.entries.len());
            self.chunks.shrink_to_fit();
        }
    }

    /// Goes on from `head`, with nothing kept.
    pub(super) fn starting_at(head: u64) -> Self {
        Ring { head, ..Ring::default() }
    }

    /// Gives back what is kept for the next messages.
    pub(super) fn shrink(&mut self) {
        self.entries.shrink_to_fit();
        self.chunks.shrink_to_fit();
        self.spare = Spare::default();
    }

    /// The messages from one place to before another, as far as they are there.
    pub(super) fn range(&self, from: u64, to: u64) -> impl DoubleEndedIterator<Item = Kept<'_>> {
        let floor = self.floor();
        let index = |place: u64| (place.clamp(floor, self.head) - floor) as usize;
        let (from, to) = (index(from), index(to));
        self.entries.range(from..to.max(from)).map(|entry| self.kept(entry))
    }

    /// Those among them for one client.
    pub(super) fn to_client(
        &self,
        client: ClientId,
        from: u64,
        to: u64,
    ) -> impl Iterator<Item = Kept<'_>> {
        self.range(from, to).filter(move |kept| kept.is_for(client))
    }

    /// The place from which a client is to be told on that has yet to get the last `missing` of the messages
    /// before `end` that are for it; `None` if not all of them are there.
    pub(super) fn place(&self, client: ClientId, missing: u64, end: u64) -> Option<u64> {
        let missing = match () {
            () if is_on(Fault::CursorTooFar) => missing.saturating_sub(1),
            () if is_on(Fault::CursorTooNear) => missing + 1,
            () => missing,
        };
        let (mut place, mut left) = (end, missing);
        for kept in self.range(self.floor(), end).rev() {
            if left == 0 {
                break;
            }
            place -= 1;
            left -= u64::from(kept.is_for(client));
        }
        let is_there = left == 0 || is_on(Fault::BoundNotChecked) || is_on(Fault::CursorTooNear);
        is_there.then_some(place)
    }

    /// Whether no message between two places is for a client, as far as can be told.
    pub(super) fn has_none(&self, client: ClientId, from: u64, to: u64) -> bool {
        from >= to || from >= self.floor() && !self.range(from, to).any(|kept| kept.is_for(client))
    }

    fn kept(&self, entry: &Entry) -> Kept<'_> {
        let chunk = entry.chunk.wrapping_sub(self.chunks_gone) as usize;
        let (start, end) = (entry.start as usize, entry.start as usize + entry.length as usize);
        let bytes = self.chunks.get(chunk).and_then(|chunk| chunk.get(start..end));
        Kept { to: entry.to, kind: entry.kind, bytes: bytes.unwrap_or_default() }
    }
}

/// A ring as it is kept: its messages, and the place of the first.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredRing {
    floor: u64,
    messages: Vec<StoredMessage>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredMessage {
    /// 0 for everyone, `n` for client `n`, `-n` for everyone but that one.
    to: i64,
    is_text: bool,
    #[serde(with = "serde_bytes")]
    bytes: Vec<u8>,
}

impl Ring {
    pub(super) fn store(&self) -> StoredRing {
        if is_on(Fault::TailNotInSnapshot) {
            return StoredRing { floor: self.head, messages: Vec::new() };
        }
        let messages = self.range(self.floor(), self.head).map(|kept| StoredMessage {
            to: match kept.to {
                Recipients::All => 0,
                Recipients::One(client) => i64::from(client.0),
                Recipients::AllExcept(client) => -i64::from(client.0),
            },
            is_text: kept.kind == MessageKind::Text,
            bytes: kept.bytes.to_vec(),
        });
        StoredRing { floor: self.floor(), messages: messages.collect() }
    }

    /// The ring that was stored; `None` if it can have been none.
    pub(super) fn restore(stored: &StoredRing) -> Option<Self> {
        if stored.floor > MAX_NUMBER {
            return None;
        }
        let mut ring = Ring::starting_at(stored.floor);
        for StoredMessage { to, is_text, bytes } in &stored.messages {
            let client = ClientId(u32::try_from(to.unsigned_abs()).ok()?);
            let to = match to.signum() {
                0 => Recipients::All,
                1 => Recipients::One(client),
                _ => Recipients::AllExcept(client),
            };
            if *is_text && std::str::from_utf8(bytes).is_err() {
                return None;
            }
            let kind = if *is_text { MessageKind::Text } else { MessageKind::Binary };
            ring.push(to, kind, bytes);
        }
        Some(ring)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_leaves_no_memory_behind() {
        let mut ring = Ring::default();
        for _ in 0..10_000 {
            ring.push(Recipients::All, MessageKind::Text, b"tiny");
        }
        ring.trim(0, u64::MAX);
        assert!(ring.entries.capacity() <= SPARE_ENTRIES && ring.chunks.capacity() == 0);
        assert_eq!((ring.floor(), ring.head()), (10_000, 10_000));
    }
}
