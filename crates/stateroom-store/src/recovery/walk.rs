//! Walks through the files of a log, from record to record.

use super::chain::{At, LogFile, Unusable, damaged};
use crate::{
    Durability,
    faults::{Deliberate, is_on},
    log::{
        layout::{HEADER_BYTES, Header, LogId, salt},
        scan::{self, Found},
    },
};

/// The files of a log, and what their headers say.
pub(super) struct Walk<'a> {
    pub(super) files: &'a [LogFile],
    pub(super) headers: Vec<Option<Header>>,
    /// Up to which position (exclusive) each file counts.
    pub(super) limits: Vec<u64>,
    pub(super) id: LogId,
}

/// The records that were found, the check of each, and where there was none any more.
pub(super) type Walked = (Vec<At>, Vec<u32>, At);

impl Walk<'_> {
    /// The file that has the record of `position`, or will have it.
    fn file_of(&self, position: u64) -> Option<usize> {
        let counts = |file: &usize| {
            let header = self.headers.get(*file).copied().flatten();
            let limit = self.limits.get(*file).copied().unwrap_or(0);
            header.is_some_and(|header| header.first <= position) && position < limit
        };
        (0..self.files.len()).find(counts)
    }

    /// The records from position `from` on, of which the one before has the check `before`.
    pub(super) fn records(&self, from: u64, before: u32) -> Result<Walked, Unusable> {
        let Some(mut file) = self.file_of(from) else {
            let what = match from {
                1 => "it begins later, and the checkpoint (rooms.db with rooms.db-wal) that has what \
                      was before is missing or not whole"
                    .to_owned(),
                _ => format!("it has no place for record {from}, which follows the checkpoint"),
            };
            return damaged(self.files.first(), what);
        };
        let mut offset = self.begin(file, from, before)?;
        let (mut records, mut checks) = (Vec::new(), Vec::new());
        let (mut position, mut before) = (from, before);
        loop {
            let limit = self.limits.get(file).copied().unwrap_or(0);
            let ends = position >= limit && !is_on(Deliberate::LaterDoesNotSupersede);
            let found = if ends { None } else { self.found(file, offset, position, before) };
            let Some(found) = found else {
                // It may go on in the next file.
                let next = self.file_of(position).filter(|next| *next > file);
                let goes_on = next.and_then(|next| self.headers.get(next).copied().flatten());
                if let (Some(next), Some(header)) = (next, goes_on)
                    && header.first == position
                    && header.before == before
                {
                    (file, offset) = (next, HEADER_BYTES);
                    continue;
                }
                if is_on(Deliberate::SkipHole)
                    && let Some(at) = self.after_hole(file, offset)
                {
                    offset = at;
                    (position, before) = self.forced(file, offset);
                    continue;
                }
                return Ok((records, checks, At { file, offset }));
            };
            records.push(At { file, offset });
            checks.push(found.check);
            (offset, before) = (found.end(), found.check);
            position += 1;
        }
    }

    /// Where the record of `from` begins in `file`, or would.
    fn begin(&self, file: usize, from: u64, before: u32) -> Result<usize, Unusable> {
        let (Some(log), Some(Some(header))) = (self.files.get(file), self.headers.get(file)) else {
            return damaged(None, "a file is missing");
        };
        let other = "the checkpoint (rooms.db) belongs to another copy of this log";
        if header.first == from {
            return if header.before == before {
                Ok(HEADER_BYTES)
            } else {
                damaged(Some(log), other)
            };
        }
        // Records before it may be damaged by now, since the checkpoint has them.
        let mut at = HEADER_BYTES;
        let mut position = header.first;
        while let Some(found) = Found::at(&log.bytes, at, header.salt()) {
            if found.head.position != position {
                break;
            }
            if position == from - 1 {
                return if found.check == before {
                    Ok(found.end())
                } else {
                    damaged(Some(log), other)
                };
            }
            (at, position) = (found.end(), position + 1);
        }
        match scan::find(&log.bytes, from, header.salt()) {
            Some(at) => {
                let found = Found::at(&log.bytes, at, header.salt());
                match found {
                    Some(found) if found.head.before != before => damaged(Some(log), other),
                    _ => Ok(at),
                }
            }
            None => damaged(
                Some(log),
                format!("it ends before record {}, which the checkpoint has", from - 1),
            ),
        }
    }

    fn found(&self, file: usize, offset: usize, position: u64, before: u32) -> Option<Found<'_>> {
        let header = self.headers.get(file).copied().flatten()?;
        let found = Found::at(&self.files.get(file)?.bytes, offset, header.salt())?;
        let fits = found.head.position == position && found.head.before == before;
        (fits && found.has_table()).then_some(found)
    }

    /// All heads behind a place: in the rest of its file, and in files of greater numbers, whether
    /// they have a header or not.
    pub(super) fn heads_behind(&self, hole: At) -> impl Iterator<Item = (usize, u64, u64)> {
        let files = self.files.iter().enumerate().skip(hole.file);
        files.flat_map(move |(place, file)| {
            let salt = salt(self.id, file.number);
            let from = if place == hole.file { hole.offset + 1 } else { HEADER_BYTES };
            let searched = place == hole.file
                || self.headers.get(place).is_some_and(Option::is_some)
                || !is_on(Deliberate::HeaderlessNoWitness);
            let bytes = if searched { file.bytes.as_slice() } else { &[] };
            scan::heads(bytes, from, salt)
                .map(move |(_, head)| (place, head.position, head.durable))
        })
    }

    fn after_hole(&self, file: usize, offset: usize) -> Option<usize> {
        let log = self.files.get(file)?;
        scan::heads(&log.bytes, offset + 1, salt(self.id, log.number)).map(|(at, _)| at).next()
    }

    fn forced(&self, file: usize, offset: usize) -> (u64, u32) {
        let header = self.headers.get(file).copied().flatten();
        let found = header
            .zip(self.files.get(file))
            .and_then(|(header, log)| Found::at(&log.bytes, offset, header.salt()));
        found.map_or((u64::MAX, 0), |found| (found.head.position, found.head.before))
    }

    /// The record at a place.
    pub(super) fn whole(&self, at: At) -> Option<Found<'_>> {
        let header = self.headers.get(at.file).copied().flatten()?;
        Found::at(&self.files.get(at.file)?.bytes, at.offset, header.salt())
    }

    /// Whether the file was written in this start of the machine, without flushes: then all of it is
    /// there that anybody was told of.
    pub(super) fn is_of_boot(&self, file: usize, boot: Option<[u8; 16]>) -> bool {
        let header = self.headers.get(file).copied().flatten();
        header.is_some_and(|header| {
            header.durability == Durability::Buffered && Some(header.boot) == boot
        })
    }
}
