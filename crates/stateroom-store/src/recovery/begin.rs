//! Begins the file that a log goes on in.

use super::chain::{Chain, LogFile};
use crate::{
    Durability, StoreError, failure,
    faults::{Deliberate, is_on},
    files::{Files, write_all},
    log::{
        entry::Body,
        layout::{FILLING, HEADER_BYTES, Header},
        scan::Found,
        segment::Segment,
        writer::file_name,
    },
};
use std::{io::IoSlice, path::Path, sync::atomic::Ordering::Relaxed};

/// A number that no file ever had, as far as can be seen.
fn new_number(listed: &[String]) -> u64 {
    let stems = listed.iter().filter_map(|name| name.split('.').next()?.parse::<u64>().ok());
    stems.max().unwrap_or(0) + 1
}

/// The file that a log goes on in.
pub(super) struct NewFile {
    pub(super) segment: Segment,
    /// The check of the last record.
    pub(super) checks: u32,
}

/// Begins the file that the log goes on in, with all that is not known to be on the disk.
pub(super) fn begin_file(
    files: &dyn Files,
    log: &Path,
    listed: &[String],
    found: &[LogFile],
    chain: &Chain,
    durability: Durability,
    boot: [u8; 16],
) -> Result<NewFile, StoreError> {
    if (is_on(Deliberate::RecoverInOldFile) || is_on(Deliberate::CacheBelieved))
        && let Some(new_file) = go_on(found, chain, durability)
    {
        return Ok(new_file);
    }
    let from = match is_on(Deliberate::TailNotRewritten) {
        true => chain.last() + 1,
        false => chain.durable + 1,
    };
    let number = match is_on(Deliberate::FilesNamedByPosition) {
        true => from,
        false => new_number(listed),
    };
    let epoch = chain.headers.iter().flatten().map(|header| header.epoch).max().unwrap_or(0) + 1;
    let before = if from == chain.durable + 1 { chain.check_durable } else { chain.check };
    let durable = from - 1;
    let header =
        Header { id: chain.id, number, first: from, before, durable, durability, boot, epoch };
    let path = log.join(file_name(number));
    let of_writing = |error| failure::of_opening(&path, error);
    let file = files.create(&path, is_on(Deliberate::FilesNamedByPosition)).map_err(of_writing)?;
    let mut segment = Segment::new(header, path.clone(), file, HEADER_BYTES as u64);
    segment.from = from;
    let write_header =
        |segment: &Segment| write_all(&*segment.file, &mut [IoSlice::new(&header.to_bytes())], 0);
    if is_on(Deliberate::HeaderBeforeTail) {
        write_header(&segment).and_then(|()| segment.file.flush()).map_err(of_writing)?;
    }
    let mut before = before;
    let doubtful = usize::try_from(from - chain.from).unwrap_or(usize::MAX);
    let mut end = HEADER_BYTES as u64;
    for at in chain.records.get(doubtful..).unwrap_or_default() {
        let Some(record) = chain.record(found, *at) else { continue };
        let mut head = record.head;
        (head.before, head.durable) = (before, durable);
        let (bytes, check) = head.to_bytes(header.salt());
        let filling =
            record.end() - record.offset - bytes.len() - record.table.len() - record.bodies.len();
        let filling = FILLING.get(..filling).unwrap_or_default();
        let mut parts = [&bytes[..], record.table, record.bodies, filling].map(IoSlice::new);
        write_all(&*segment.file, &mut parts, end).map_err(of_writing)?;
        segment.push(end);
        segment.large.fetch_add(large_of(&record), Relaxed);
        end += head.record_bytes();
        before = check;
    }
    segment.end.store(end, Relaxed);
    if !is_on(Deliberate::RecoverWithoutTailFlush) {
        segment.file.flush().map_err(of_writing)?;
    }
    // Only now it counts, in the place of where these records were before.
    write_header(&segment).map_err(of_writing)?;
    if !is_on(Deliberate::RecoverWithoutHeaderFlush) {
        segment.file.flush().map_err(of_writing)?;
    }
    if !is_on(Deliberate::RecoverWithoutFolderFlush) {
        files.flush_folder(log).map_err(|error| failure::of_opening(log, error))?;
    }
    segment.header_flushed.store(true, Relaxed);
    Ok(NewFile { segment, checks: before })
}

/// What nobody should do: goes on in the file where the last one stopped.
fn go_on(found: &[LogFile], chain: &Chain, durability: Durability) -> Option<NewFile> {
    let at = chain.records.last()?;
    let header = chain.headers.get(at.file).copied().flatten()?;
    let record = chain.record(found, *at)?;
    let file = found.get(at.file)?;
    if header.durability != durability {
        return None;
    }
    let end = record.end() as u64;
    let mut segment = Segment::new(header, file.path.clone(), file.file.clone(), end);
    segment.from = u64::MAX;
    if is_on(Deliberate::RecoverInOldFile) {
        segment.file.flush().ok()?;
    }
    segment.header_flushed.store(true, Relaxed);
    Some(NewFile { segment, checks: chain.check })
}

/// How many bytes the large files have that a record names.
fn large_of(record: &Found<'_>) -> u64 {
    let large = record.entries().filter_map(|(_, coded)| match coded.entry.body {
        Body::Large(large) => Some(large.length),
        Body::Here { .. } => None,
    });
    large.sum()
}
