//! Opens a store to write to it. Believes neither the cache nor the last writer: what is not known to be
//! on the disk is written anew to a file of its own, and flushed, before anything is let out. A crash
//! anywhere leads back to the start, with the same result.

use super::{
    begin::{self, NewFile},
    boot::boot_id,
    chain::{Chain, LogFile, Unusable},
    create::create,
    decide,
    folder::{self, Lock, There},
    gather::gather,
};
use crate::{
    Durability, StoreError,
    checkpoint::database::Database,
    failure,
    files::{Files, read_all},
    log::{entry::Body, large, layout::HEADER_BYTES, segment::Segment, writer::file_name},
    options::Options,
    shared::Begun,
};
use std::{
    collections::{HashSet, VecDeque},
    path::Path,
    sync::Arc,
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
    let chain = decide::look(&found, mark, Some(boot).filter(|_| files.boot().is_some()))
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

    // What it might have told has been heard by now. Else recoveries that are cut off would pile up.
    for file in found.iter().filter(|file| is_unfinished(file)) {
        let _ = files.remove(&file.path);
    }
    let begun_at = begin::begin_file(files, &log, &listed, &found, &chain, durability, boot)?;
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

/// Whether a file was made by a recovery that did not come to its end, or ahead: it never had a header.
fn is_unfinished(file: &LogFile) -> bool {
    file.bytes.iter().take(HEADER_BYTES).all(|byte| *byte == 0)
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
            && !is_unfinished(file)
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
