//! Decides what of the files of a log counts, and where the log ends. Pure: bytes in, a decision out, the
//! same for the one who goes on writing and for readers.
//!
//! - A file counts up to where a file with a greater number begins.
//! - Every record and header tells up to where flushes had returned when it was written. What cannot be
//!   read at a position that some later one says was flushed is damage. Else the log ends there.
//! - Where commits are not flushed, all that was written in this start of the machine has to be there.

use super::{
    chain::{At, Chain, LogFile, Mark, Unusable, damaged},
    walk::Walk,
};
use crate::{
    faults::{Deliberate, is_on},
    log::layout::{FoundHeader, Header},
};

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

impl Walk<'_> {
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
}
