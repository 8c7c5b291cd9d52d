//! Finds records in the bytes of a file of the log.

use super::{
    entry::{Coded, Entry},
    layout::{ALIGNMENT, FILLING, HEAD_BYTES, HEADER_BYTES, Head, crc},
};

/// A page without anything.
const ZEROES: [u8; 4096] = [0; 4096];

/// A record whose head is whole.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found<'a> {
    pub(crate) head: Head,
    /// The check by which the next record names it.
    pub(crate) check: u32,
    pub(crate) offset: usize,
    pub(crate) table: &'a [u8],
    pub(crate) bodies: &'a [u8],
}

impl<'a> Found<'a> {
    /// The record at `offset`; `None` if there is no whole head, or the file ends before it does.
    pub(crate) fn at(bytes: &'a [u8], offset: usize, salt: u32) -> Option<Self> {
        let (head, check) = Head::read(bytes.get(offset..)?, salt)?;
        let table_at = offset.checked_add(HEAD_BYTES)?;
        let bodies_at = table_at.checked_add(head.table as usize)?;
        let end = bodies_at.checked_add(head.bodies as usize)?;
        let table = bytes.get(table_at..bodies_at)?;
        let bodies = bytes.get(bodies_at..end)?;
        let filled = offset.checked_add(usize::try_from(head.record_bytes()).ok()?)?;
        let filling = bytes.get(end..filled)?;
        if filling != FILLING.get(..filling.len())? {
            return None;
        }
        Some(Self { head, check, offset, table, bodies })
    }

    /// Whether it can be told what it holds.
    pub(crate) fn has_table(&self) -> bool {
        crc(0, self.table) == self.head.check_table
    }

    /// Whether the bodies are as they were written.
    pub(crate) fn has_bodies(&self) -> bool {
        crc(0, self.bodies) == self.head.check_bodies
    }

    /// Where the next record begins.
    pub(crate) fn end(&self) -> usize {
        self.offset + usize::try_from(self.head.record_bytes()).unwrap_or(usize::MAX / 2)
    }

    /// Its entries, with where each begins in the table. Ends early if one makes no sense.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (u32, Coded<'a>)> + use<'a> {
        let (table, mut at) = (self.table, 0);
        std::iter::from_fn(move || {
            let (coded, bytes) = Entry::decode(table.get(at..)?)?;
            let place = u32::try_from(at).ok()?;
            at += bytes;
            Some((place, coded))
        })
    }
}

/// All heads from `from` on, wherever they are.
pub(crate) fn heads(bytes: &[u8], from: usize, salt: u32) -> impl Iterator<Item = (usize, Head)> {
    let mut at = from.next_multiple_of(ALIGNMENT).max(HEADER_BYTES);
    std::iter::from_fn(move || {
        while at + HEAD_BYTES <= bytes.len() {
            if bytes.get(at..at + ZEROES.len()).is_some_and(|page| page == ZEROES) {
                // What begins in the last bytes of it is looked at next.
                at += ZEROES.len() - ALIGNMENT;
                continue;
            }
            let here = at;
            at += ALIGNMENT;
            if let Some((head, _)) = bytes.get(here..).and_then(|bytes| Head::read(bytes, salt)) {
                return Some((here, head));
            }
        }
        None
    })
}

/// Where the record of `position` begins, if it is there.
pub(crate) fn find(bytes: &[u8], position: u64, salt: u32) -> Option<usize> {
    heads(bytes, HEADER_BYTES, salt).find(|(_, head)| head.position == position).map(|(at, _)| at)
}
