//! Decides what of the files of a log counts, and where the log ends. Pure: bytes in, a decision out, the
//! same for the one who goes on writing and for readers.
//!
//! - A file counts up to where a file with a greater number begins.
//! - Every record and header tells up to where flushes had returned when it was written. What cannot be
//!   read at a position that some later one says was flushed is damage. Else the log ends there.
//! - Where commits are not flushed, all that was written in this start of the machine has to be there.

use crate::{
    Durability,
    faults::{Deliberate, is_on},
    files::OpenFile,
    log::{
        layout::{FoundHeader, HEADER_BYTES, Header, LogId, salt},
        scan::{self, Found},
    },
};
use std::{path::PathBuf, sync::Arc};

/// A file in the log's folder, as it was read.
#[derive(Debug, Clone)]
pub(crate) struct LogFile {
    pub(crate) number: u64,
    pub(crate) path: PathBuf,
    pub(crate) file: Arc<dyn OpenFile>,
    pub(crate) bytes: Arc<Vec<u8>>,
}

/// Up to where the checkpoint has the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) id: LogId,
    pub(crate) applied: u64,
    /// The check of the record of that position; 0 for none.
    pub(crate) check: u32,
}

/// Where a record is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At {
    /// Which of the files.
    pub(crate) file: usize,
    pub(crate) offset: usize,
}

/// What of a log counts.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) id: LogId,
    /// The headers of the files, as far as they are whole.
    pub(crate) headers: Vec<Option<Header>>,
    /// The position of the first of `records`: the one after what the checkpoint has.
    pub(crate) from: u64,
    pub(crate) records: Vec<At>,
    /// The check of the last of them, or of the one before `from`.
    pub(crate) check: u32,
    /// The check of the record at `durable`.
    pub(crate) check_durable: u32,
    /// Up to which position records are known to have been flushed.
    pub(crate) durable: u64,
    /// How many records were lost in a power cut, of a log whose commits are not flushed.
    pub(crate) lost: u64,
}

/// Why a log cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// A file is of a newer format.
    Newer { path: PathBuf, found: u32 },
    /// Something that had been promised is missing. The path is that of the file, if it is one's.
    Damaged { path: Option<PathBuf>, what: String },
}

fn damaged<T>(file: Option<&LogFile>, what: impl Into<String>) -> Result<T, Unusable> {
    Err(Unusable::Damaged { path: file.map(|file| file.path.clone()), what: what.into() })
}

impl Chain {
    /// The position of the last record.
    pub(crate) fn last(&self) -> u64 {
        self.from + self.records.len() as u64 - 1
    }

    /// The record at a place of this chain.
    pub(crate) fn record<'a>(&self, files: &'a [LogFile], at: At) -> Option<Found<'a>> {
        let header = self.headers.get(at.file)?.as_ref()?;
        Found::at(&files.get(at.file)?.bytes, at.offset, header.salt())
    }
}

/// Decides what of `files`, in the order of their numbers, counts after what the checkpoint has. `boot`
/// names this start of the machine.
pub(crate) fn look(
    files: &[LogFile],
    mark: Option<Mark>,
    boot: Option<[u8; 16]>,
) -> Result<Chain, Unusable> {
    let headers = read_headers(files)?;
    let Some(id) =
        mark.map(|mark| mark.id).or_else(|| headers.iter().flatten().map(|it| it.id).next())
    else {
        return damaged(files.first(), "no file of the log has a header that is whole");
    };
    for (file, header) in files.iter().zip(&headers) {
        if header.is_some_and(|header| header.id != id || header.number != file.number) {
            return damaged(Some(file), "it belongs to another log, or had another name");
        }
    }
    let mut walk = Walk { files, limits: limits(&headers), headers, id };
    let (from, before) = match mark {
        Some(mark) => (mark.applied + 1, mark.check),
        None => (1, 0),
    };
    let (records, checks, hole) = walk.records(from, before)?;
    walk.decide(from, before, records, checks, hole, boot)
}

fn read_headers(files: &[LogFile]) -> Result<Vec<Option<Header>>, Unusable> {
    let headers = files.iter().map(|file| match Header::read(&file.bytes) {
        FoundHeader::Whole(header) => Ok(Some(header)),
        FoundHeader::Newer(found) => Err(Unusable::Newer { path: file.path.clone(), found }),
        FoundHeader::None => Ok(None),
    });
    headers.collect()
}

/// Up to which position (exclusive) each file counts.
fn limits(headers: &[Option<Header>]) -> Vec<u64> {
    let mut limit = u64::MAX;
    let mut limits: Vec<u64> = headers
        .iter()
        .rev()
        .map(|header| {
            let own = limit;
            if let Some(header) = header {
                limit = limit.min(header.first);
            }
            own
        })
        .collect();
    limits.reverse();
    limits
}

struct Walk<'a> {
    files: &'a [LogFile],
    headers: Vec<Option<Header>>,
    limits: Vec<u64>,
    id: LogId,
}

/// The records that were found, the check of each, and where there was none any more.
type Walked = (Vec<At>, Vec<u32>, At);

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

    fn records(&self, from: u64, before: u32) -> Result<Walked, Unusable> {
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
    fn heads_behind(&self, hole: At) -> impl Iterator<Item = (usize, u64, u64)> {
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

    fn decide(
        &mut self,
        from: u64,
        before: u32,
        mut records: Vec<At>,
        mut checks: Vec<u32>,
        hole: At,
        boot: Option<[u8; 16]>,
    ) -> Result<Chain, Unusable> {
        let missing = from + records.len() as u64;
        let later: Vec<(usize, u64, u64)> =
            self.heads_behind(hole).filter(|(_, position, _)| *position >= missing).collect();
        // Headers tell it too.
        let mut durable = from - 1;
        let all = self.headers.iter().enumerate().skip(hole.file);
        for header in all.filter_map(|(_, header)| header.as_ref()) {
            durable = durable.max(header.durable);
        }
        durable = later.iter().map(|(_, _, durable)| *durable).fold(durable, u64::max);
        let is_damage = durable >= missing
            || later.iter().any(|(file, ..)| self.is_of_boot(*file, boot))
            || (is_on(Deliberate::LaterValidIsDamage) && !later.is_empty());
        if is_damage && !is_on(Deliberate::CutAlways) {
            let what = format!("record {missing} cannot be read, and it had been kept for good");
            return damaged(self.files.get(hole.file), what);
        }
        let mut lost =
            later.iter().map(|(_, position, _)| position + 1 - missing).max().unwrap_or(0);
        let mut durable = durable.min(missing - 1);
        for at in &records {
            if let Some(found) = self.whole(*at) {
                durable = durable.max(found.head.durable);
            }
        }
        // What is known to have been flushed may have damaged bodies: that is told of their rooms. Any
        // other is whole, or the log ends before it.
        let first_doubtful = usize::try_from(durable + 1 - from).unwrap_or(usize::MAX);
        let torn = records.iter().enumerate().skip(first_doubtful).find(|(place, at)| {
            let is_last = place + 1 == records.len();
            let was_seen = !is_last && self.is_of_boot(at.file, boot);
            !was_seen && self.whole(**at).is_none_or(|found| !found.has_bodies())
        });
        if let Some((place, _)) = torn {
            let keeps_promise = records.get(place + 1..).is_some_and(|rest| !rest.is_empty());
            if keeps_promise {
                lost = lost.max((records.len() - place - 1) as u64);
            }
            records.truncate(place);
            checks.truncate(place);
        }
        if is_on(Deliberate::DropLastRecord) && records.len() as u64 + from - 1 > durable.max(from)
        {
            records.pop();
            checks.pop();
            durable = durable.min(from + records.len() as u64 - 1);
        }
        let check_at = |position: u64| match position.checked_sub(from) {
            None => before,
            Some(place) => usize::try_from(place)
                .ok()
                .and_then(|place| checks.get(place))
                .map_or(before, |it| *it),
        };
        let last = from + records.len() as u64 - 1;
        Ok(Chain {
            id: self.id,
            check: check_at(last),
            check_durable: check_at(durable),
            headers: std::mem::take(&mut self.headers),
            from,
            records,
            durable,
            lost,
        })
    }

    fn whole(&self, at: At) -> Option<Found<'_>> {
        let header = self.headers.get(at.file).copied().flatten()?;
        Found::at(&self.files.get(at.file)?.bytes, at.offset, header.salt())
    }

    /// Whether the file was written in this start of the machine, without flushes: then all of it is
    /// there that anybody was told of.
    fn is_of_boot(&self, file: usize, boot: Option<[u8; 16]>) -> bool {
        let header = self.headers.get(file).copied().flatten();
        header.is_some_and(|header| {
            header.durability == Durability::Buffered && Some(header.boot) == boot
        })
    }
}
