//! Rows of `journal`, with their checksums.

use crate::{StoredRecords, log::layout::crc};
use rusqlite::Connection;

/// Appends of a room, one after the other, as they are in one row: each as the number of its events, the
/// length of its records, and these.
#[derive(Debug, Default)]
pub(crate) struct Packed {
    follows: Option<u64>,
    end: u64,
    bytes: Vec<u8>,
}

impl Packed {
    /// Adds an append, which follows the one before.
    pub(crate) fn add(&mut self, follows: u64, events: u32, records: &[u8]) {
        self.follows.get_or_insert(follows);
        self.end = follows.saturating_add(u64::from(events));
        self.bytes.extend_from_slice(&events.to_le_bytes());
        let length = u32::try_from(records.len()).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(records);
    }

    /// After how many events they come, how many they are, and the bytes; `None` if there are none.
    pub(crate) fn finish(self) -> Option<(u64, u64, Vec<u8>)> {
        let follows = self.follows?;
        Some((follows, self.end - follows, self.bytes))
    }
}

/// The checksum of a part of a journal.
pub(crate) fn check(number: i64, follows: u64, events: u64, records: &[u8]) -> u32 {
    let check = crc(crc(0, &number.to_le_bytes()), &follows.to_le_bytes());
    crc(crc(check, &events.to_le_bytes()), records)
}

/// The journal of the room of that number, in order; an error that tells after how many events it is
/// damaged.
pub(crate) fn read(
    connection: &Connection,
    number: i64,
) -> rusqlite::Result<Result<Vec<StoredRecords>, u64>> {
    let sql = "SELECT follows, events, check_records, records FROM journal WHERE number = ?1 \
               ORDER BY follows";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([number])?;
    let mut journal = Vec::new();
    while let Some(row) = rows.next()? {
        let follows = row.get::<_, i64>(0)?.cast_unsigned();
        let events = row.get::<_, i64>(1)?.cast_unsigned();
        let bytes = row.get_ref(3)?.as_bytes().unwrap_or_default();
        let check = check(number, follows, events, bytes);
        let is_intact = row.get::<_, i64>(2)? == i64::from(check);
        if !is_intact || unpack(follows, bytes, &mut journal).is_none() {
            return Ok(Err(follows));
        }
    }
    Ok(Ok(journal))
}

fn unpack(mut follows: u64, mut bytes: &[u8], journal: &mut Vec<StoredRecords>) -> Option<()> {
    while !bytes.is_empty() {
        let (events, rest) = bytes.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let events = u32::from_le_bytes(*events);
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (records, rest) = rest.split_at_checked(length)?;
        let records = StoredRecords { follows, events, records: records.to_vec() };
        follows = records.end();
        journal.push(records);
        bytes = rest;
    }
    Some(())
}
