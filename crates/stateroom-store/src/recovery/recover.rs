//! Opens a store to write to it. Believes neither the cache nor the last writer: what is not known to be
//! on the disk is written anew to a file of its own, and flushed, before anything is let out. A crash
//! anywhere leads back to the start, with the same result.

use super::{
    chain::{self, Chain, LogFile, Unusable},
    folder::{self, Lock, There},
};
use crate::{
    Durability, StoreError,
    checkpoint::database::Database,
    failure,
    faults::{Deliberate, is_on},
    files::{Files, read_all, write_all},
    index::Index,
    log::{
        entry::{Body, Place},
        large,
        layout::{HEADER_BYTES, Header, LogId},
        segment::Segment,
        writer::file_name,
    },
    options::Options,
    shared::Begun,
};
use std::{
    collections::{HashSet, VecDeque},
    io::{self, IoSlice},
    path::Path,
    sync::{Arc, atomic::Ordering::Relaxed},
};

/// A store that can be written to.
pub(crate) struct Recovered {
    pub(crate) lock: Lock,
    pub(crate) begun: Begun,
    pub(crate) database: Database,
    /// The last position, and the check of its record.
    pub(crate) last: u64,
    pub(crate) check: u32,
    pub(crate) boot: [u8; 16],
    /// How many records a power cut has cost, of a log whose commits were not flushed.
    pub(crate) lost: u64,
    /// How many bytes there are in large files.
    pub(crate) large_bytes: u64,
}

/// Opens the store in `folder`, or makes one.
pub(crate) fn recover(
    folder: &Path,
    durability: Durability,
    options: &Options,
) -> Result<Recovered, StoreError> {
    let files = &*options.files;
    files.create_folder(folder).map_err(|error| failure::of_opening(folder, error))?;
    let mut lock = Lock::take(files, folder)?;
    if folder::look(files, folder, Some(&lock))? == There::Nothing {
        create(files, folder, durability)?;
    }
    let log = folder.join("log");
    let listed = files.list(&log).map_err(|error| failure::of_opening(&log, error))?;
    let found = read_files(files, &log, &listed)?;

    let needed = lock.needs_write_ahead_log();
    let mut database = Database::open(files, folder, needed)?;
    // A checkpoint that has nothing yet is made anew: it may be that of a log that was never finished.
    let mark = database.as_ref().map(Database::mark).transpose()?.flatten();
    let mark = mark.filter(|mark| mark.applied > 0);
    let boot = boot_id(files);
    let chain = chain::look(&found, mark, Some(boot).filter(|_| files.boot().is_some()))
        .map_err(|unusable| told(folder, unusable))?;
    // Until here it might have been refused; nothing was changed.
    let database = match database.take().filter(|_| mark.is_some()) {
        Some(database) => database,
        None => Database::create(files, folder, chain.id)?,
    };
    database.open_anew(files)?;
    // Not before it has something, or it would be missed though nothing is lost.
    lock.mark(true)?;
    let large_folder = folder.join(large::FOLDER);
    files
        .create_folder(&large_folder)
        .map_err(|error| failure::of_opening(&large_folder, error))?;

    let begun_at = begin_file(files, &log, &listed, &found, &chain, durability, boot)?;
    let NewFile { segment, checks } = begun_at;
    let epoch = segment.header.epoch;
    let (index, mut segments, large_bytes) = gather(&found, &chain, segment.from);
    // Unless it goes on in the old file, which only a deliberate fault does.
    if segment.from != u64::MAX {
        segments.push_back(Arc::new(segment));
    }
    let large_bytes = large_bytes + database.large_bytes()?;
    clear_away(files, folder, &listed, &found, &chain, &segments, &database)?;

    let last = chain.last();
    let applied = mark.map_or(0, |mark| mark.applied);
    let begun = Begun { id: chain.id, epoch, index, segments, flushed: last, applied };
    let (check, lost) = (checks, chain.lost);
    Ok(Recovered { lock, begun, database, last, check, boot, lost, large_bytes })
}

/// What a log that cannot be used means for whoever wants the store.
pub(crate) fn told(folder: &Path, unusable: Unusable) -> StoreError {
    match unusable {
        Unusable::Newer { path, found } => {
            StoreError::NewerFormat { path, found, known: crate::log::layout::FORMAT }
        }
        Unusable::Damaged { path, what } => {
            StoreError::DamagedFile { path: path.unwrap_or_else(|| folder.join("log")), what }
        }
    }
}

/// Names this start of the machine.
fn boot_id(files: &dyn Files) -> [u8; 16] {
    use sha2::{Digest, Sha256};
    let name = files.boot().unwrap_or_default();
    let hash: [u8; 32] = Sha256::digest(name.as_bytes()).into();
    hash.first_chunk().copied().unwrap_or_default()
}

/// The same, where the system tells.
pub(crate) fn boot_of(files: &dyn Files) -> Option<[u8; 16]> {
    files.boot().map(|_| boot_id(files))
}

/// Makes a log with a whole first file, under another name until it is on the disk.
fn create(files: &dyn Files, folder: &Path, durability: Durability) -> Result<(), StoreError> {
    let new = folder.join("log.new");
    let make = || -> io::Result<()> {
        files.create_folder(&new)?;
        for name in files.list(&new)? {
            files.remove(&new.join(name))?;
        }
        let header = Header {
            id: LogId(fastrand::u128(..).to_le_bytes()),
            number: 1,
            first: 1,
            before: 0,
            durable: 0,
            durability,
            boot: boot_id(files),
            epoch: 0,
        };
        let file = files.create(&new.join(file_name(1)), false)?;
        write_all(&*file, &mut [IoSlice::new(&header.to_bytes())], 0)?;
        file.flush()?;
        files.flush_folder(&new)?;
        let log = folder.join("log");
        // One that is there never had anything in it.
        match files.list(&log) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            names => names?.iter().try_for_each(|name| files.remove(&log.join(name)))?,
        }
        match files.remove_folder(&log) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        files.rename(&new, &log)?;
        files.flush_folder(folder)
    };
    make().map_err(|error| failure::of_opening(&new, error))
}

/// Reads the files of a log, in the order of their numbers.
pub(crate) fn read_files(
    files: &dyn Files,
    log: &Path,
    listed: &[String],
) -> Result<Vec<LogFile>, StoreError> {
    let mut numbers: Vec<u64> = listed.iter().filter_map(|name| folder::log_number(name)).collect();
    numbers.sort_unstable();
    let read = |number: u64| {
        let path = log.join(file_name(number));
        let file = files.open(&path).map_err(|error| failure::of_opening(&path, error))?;
        let bytes = read_all(&*file).map_err(|error| failure::of_reading(&path, &error))?;
        Ok(LogFile { number, path, file, bytes: Arc::new(bytes) })
    };
    numbers.into_iter().map(read).collect()
}

/// A number that no file ever had, as far as can be seen.
fn new_number(listed: &[String]) -> u64 {
    let stems = listed.iter().filter_map(|name| name.split('.').next()?.parse::<u64>().ok());
    stems.max().unwrap_or(0) + 1
}

struct NewFile {
    segment: Segment,
    /// The check of the last record.
    checks: u32,
}

/// Begins the file that the log goes on in, with all that is not known to be on the disk.
fn begin_file(
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
        let filling = crate::log::layout::FILLING.get(..filling).unwrap_or_default();
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
fn large_of(record: &crate::log::scan::Found<'_>) -> u64 {
    let large = record.entries().filter_map(|(_, coded)| match coded.entry.body {
        Body::Large(large) => Some(large.length),
        Body::Here { .. } => None,
    });
    large.sum()
}

/// The index, the files up to position `below`, and how many bytes are in large ones that the log names.
pub(crate) fn gather(
    found: &[LogFile],
    chain: &Chain,
    below: u64,
) -> (Index, VecDeque<Arc<Segment>>, u64) {
    let mut index = Index::default();
    let mut segments: VecDeque<Arc<Segment>> = VecDeque::new();
    let mut large_bytes = 0;
    let mut current: Option<(usize, Segment)> = None;
    for (place, at) in chain.records.iter().enumerate() {
        let position = chain.from + place as u64;
        let Some(record) = chain.record(found, *at) else { continue };
        let mut large = 0;
        for (entry_at, coded) in record.entries() {
            index.found(&coded.entry, Place { position, at: entry_at });
            if let Body::Large(it) = coded.entry.body {
                large += it.length;
            }
        }
        large_bytes += large;
        if position >= below {
            continue;
        }
        if current.as_ref().is_none_or(|(file, _)| *file != at.file) {
            segments.extend(current.take().map(|(_, segment)| Arc::new(segment)));
            current = segment_of(found, chain, at.file, position).map(|segment| (at.file, segment));
        }
        if let Some((_, segment)) = &current {
            segment.push(at.offset as u64);
            segment.end.store(record.end() as u64, Relaxed);
            segment.large.fetch_add(large, Relaxed);
        }
    }
    segments.extend(current.map(|(_, segment)| Arc::new(segment)));
    (index, segments, large_bytes)
}

fn segment_of(found: &[LogFile], chain: &Chain, file: usize, from: u64) -> Option<Segment> {
    let header = chain.headers.get(file).copied().flatten()?;
    let log = found.get(file)?;
    let mut segment = Segment::new(header, log.path.clone(), log.file.clone(), 0);
    segment.from = from;
    segment.header_flushed.store(true, Relaxed);
    Some(segment)
}

/// Removes what nobody needs: files that the checkpoint or the new file stand for, the oldest first, files
/// that were made ahead, and large ones that are named by nobody. What can't be removed stays.
fn clear_away(
    files: &dyn Files,
    folder: &Path,
    listed: &[String],
    found: &[LogFile],
    chain: &Chain,
    segments: &VecDeque<Arc<Segment>>,
    database: &Database,
) -> Result<(), StoreError> {
    let log = folder.join("log");
    for name in listed.iter().filter(|name| name.ends_with(".old")) {
        let _ = files.remove(&log.join(name));
    }
    for file in found {
        if !segments.iter().any(|segment| segment.path == file.path)
            && files.remove(&file.path).is_err()
        {
            break;
        }
    }
    let mut named: HashSet<u128> = database.large_names()?;
    for at in &chain.records {
        let Some(record) = chain.record(found, *at) else { continue };
        named.extend(record.entries().filter_map(|(_, coded)| match coded.entry.body {
            Body::Large(large) => Some(large.name),
            Body::Here { .. } => None,
        }));
    }
    let large_folder = folder.join(large::FOLDER);
    let there = large::list(files, folder);
    for name in there.map_err(|error| failure::of_reading(&large_folder, &error))? {
        if !named.contains(&name) {
            let _ = files.remove(&large::path(folder, name));
        }
    }
    Ok(())
}
