//! The log: what rooms have heard, in files of its own beside the database. A commit of appends is one
//! row at the end of the newest file, and one flush, whatever its size; SQLite, which writes whole pages
//! and each of them twice, has no part in it.

use super::{
    checksum,
    commit::NewRow,
    index::RowPlace,
    open,
    segment::{HEAD_BYTES, HEADER_BYTES, Head, Header},
};
use crate::{Durability, StoreError};
use std::{
    fs::{self, File, OpenOptions},
    hash::{BuildHasher as _, RandomState},
    io::{self, IoSlice, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

/// A file that has as many bytes is followed by another: only whole files are given back.
const SEGMENT_BYTES: u64 = 32 << 20;

/// Where commits are flushed, the disk is asked for so many bytes of a file at a time: a flush is a
/// third shorter when the file doesn't grow.
const ALLOCATED_BYTES: u64 = 4 << 20;

/// The folder of the log of the store in `folder`.
pub(crate) fn folder_of(folder: &Path) -> PathBuf {
    folder.join("log")
}

/// A file of the log, for whoever reads rooms.
#[derive(Debug)]
pub(crate) struct Segment {
    /// The position of its first row.
    pub(crate) first: i64,
    pub(crate) path: PathBuf,
    pub(crate) file: File,
}

impl Segment {
    pub(crate) fn open(path: &Path, first: i64) -> io::Result<Arc<Self>> {
        let file = File::open(path)?;
        Ok(Arc::new(Self { first, path: path.to_owned(), file }))
    }

    /// Flushes what was written to it.
    pub(crate) fn flush(&self) -> io::Result<()> {
        // Not every system lets one who may only read do this.
        OpenOptions::new().write(true).open(&self.path)?.sync_all()
    }
}

/// The names of files, in their order: hexadecimal digits of the position of the first row.
fn file_name(first: i64) -> String {
    format!("{first:016x}.log")
}

/// The position of the first row of a file of that name.
fn first_of(path: &Path) -> Option<i64> {
    let digits = path.file_name()?.to_str()?.strip_suffix(".log")?;
    let first = i64::from_str_radix(digits, 16).ok()?;
    (file_name(first) == path.file_name()?.to_str()?).then_some(first)
}

/// Those of the files in `folder` that are of the log, in order.
pub(crate) fn files(folder: &Path) -> io::Result<Vec<(i64, PathBuf)>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let named = paths.filter_map(|path| match path {
        Ok(path) => first_of(&path).map(|first| Ok((first, path))),
        Err(error) => Some(Err(error)),
    });
    let mut files = named.collect::<io::Result<Vec<_>>>()?;
    files.sort_unstable();
    Ok(files)
}

/// Writes to the log.
#[derive(Debug)]
pub(crate) struct Log {
    folder: PathBuf,
    durability: Durability,
    /// The newest file. `None` until there is something to write.
    newest: Option<Newest>,
    /// Where the newest file ended before the last row.
    before: u64,
    /// How many bytes the newest file may have; for tests.
    most_bytes: Option<u64>,
}

#[derive(Debug)]
struct Newest {
    segment: Arc<Segment>,
    file: File,
    salt: u64,
    /// Where the next row begins.
    end: u64,
    /// How long the file is: what comes behind `end` is zeroes.
    allocated: u64,
}

impl Newest {
    /// Has the file be longer by so much that as many bytes fit, and more. If the disk doesn't, the file
    /// grows with each row.
    #[cfg(target_os = "linux")]
    fn allocate(&mut self, bytes: u64) {
        use rustix::fs::{FallocateFlags, fallocate};
        let (end, more) = (self.end, bytes.next_multiple_of(ALLOCATED_BYTES));
        if fallocate(&self.file, FallocateFlags::empty(), end, more).is_ok() {
            self.allocated = end + more;
        } else if self.file.set_len(end).is_ok() {
            // It may have come to a part of it.
            self.allocated = end;
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn allocate(&mut self, _bytes: u64) {}

    /// Cuts the file off where its rows end.
    fn trim(&mut self) -> io::Result<()> {
        if self.allocated > self.end {
            self.file.set_len(self.end)?;
            self.file.sync_all()?;
            self.allocated = self.end;
        }
        Ok(())
    }
}

/// Where a row was written.
#[derive(Debug)]
pub(crate) struct Written {
    /// The file, if it is a new one.
    pub(crate) begun: Option<Arc<Segment>>,
    pub(crate) place: RowPlace,
}

/// A row could not be written.
#[derive(Debug)]
pub(crate) struct NotWritten {
    pub(crate) error: StoreError,
    /// Whether it is not known that nothing was written.
    pub(crate) is_final: bool,
}

impl Log {
    pub(crate) fn new(folder: &Path, durability: Durability) -> Self {
        let folder = folder_of(folder);
        Self { folder, durability, newest: None, before: 0, most_bytes: None }
    }

    /// Makes the disk seem full once the newest file has so many bytes.
    pub(crate) fn limit(&mut self, bytes: u64) {
        self.most_bytes = Some(bytes);
    }

    /// Whether the next row begins a file.
    pub(crate) fn begins_file(&self) -> bool {
        self.newest.as_ref().is_none_or(|newest| newest.end >= SEGMENT_BYTES)
    }

    /// How many bytes the newest file has.
    pub(crate) fn newest_bytes(&self) -> u64 {
        self.newest.as_ref().map_or(0, |newest| newest.end)
    }

    /// Whether no file is being written to.
    pub(crate) fn has_ended(&self) -> bool {
        self.newest.is_none()
    }

    /// Writes to the newest file no more.
    pub(crate) fn end_file(&mut self) -> io::Result<()> {
        if let Some(newest) = &mut self.newest {
            newest.trim()?;
        }
        self.newest = None;
        Ok(())
    }

    /// Writes a row, and flushes it where commits are flushed.
    pub(crate) fn append(&mut self, row: &NewRow<'_>) -> Result<Written, NotWritten> {
        let NewRow { position, contents, bodies } = row;
        let (position, contents) = (*position, contents.as_slice());
        let begun = if self.begins_file() { Some(self.begin(position)?) } else { None };
        let Some(newest) = &mut self.newest else {
            return Err(failed(&self.folder, &io::ErrorKind::NotFound.into()));
        };
        let bytes = bodies.iter().map(|body| body.len()).sum();
        let (Ok(contents_bytes), Ok(bodies_bytes)) =
            (u32::try_from(contents.len()), u32::try_from(bytes))
        else {
            let error = StoreError::TooLarge { of: "one commit".to_owned(), bytes };
            return Err(NotWritten { error, is_final: false });
        };
        let head = Head {
            position,
            contents: contents_bytes,
            bodies: bodies_bytes,
            check_bodies: checksum::bodies(bodies.iter().copied()),
        };
        let end = newest.end + head.row_bytes();
        if self.durability == Durability::Synced
            && self.most_bytes.is_none()
            && end > newest.allocated
        {
            newest.allocate(head.row_bytes());
        }
        let path = &newest.segment.path;
        self.before = newest.end;
        let head = head.to_bytes(newest.salt);
        let (before, behind) = ([&head[..], contents], [contents]);
        let parts = before.iter().chain(*bodies).chain(&behind);
        let written = match self.most_bytes {
            Some(most) if end > most => Err(io::ErrorKind::StorageFull.into()),
            _ => write_all(&mut newest.file, parts.map(|part| IoSlice::new(part)).collect()),
        };
        if let Err(error) = written {
            let failure = failed(path, &error);
            return Err(self.after(failure));
        }
        if self.durability == Durability::Synced
            && let Err(error) = newest.file.sync_data()
        {
            let NotWritten { error, .. } = failed(path, &error);
            return Err(NotWritten { error, is_final: true });
        }
        newest.end = end;
        let bodies_at = self.before + (HEAD_BYTES + contents.len()) as u64;
        let place = RowPlace { bodies_at, bodies: bodies_bytes, contents: contents_bytes };
        Ok(Written { begun, place })
    }

    /// Takes back the row that was written last, whose commit has failed otherwise.
    pub(crate) fn take_back(&mut self) -> io::Result<()> {
        let Some(newest) = &mut self.newest else { return Ok(()) };
        newest.file.set_len(self.before)?;
        newest.file.seek(SeekFrom::Start(self.before))?;
        (newest.end, newest.allocated) = (self.before, self.before);
        if self.durability == Durability::Synced {
            newest.file.sync_data()?;
        }
        if self.before == HEADER_BYTES as u64 {
            // Nobody was told of the file yet.
            fs::remove_file(&newest.segment.path)?;
            self.newest = None;
        }
        Ok(())
    }

    /// The same failure, after what was written of a row is taken back.
    fn after(&mut self, failure: NotWritten) -> NotWritten {
        if failure.is_final {
            return failure;
        }
        match self.take_back() {
            Ok(()) => failure,
            Err(error) => {
                let NotWritten { error, .. } = failed(&self.folder, &error);
                NotWritten { error, is_final: true }
            }
        }
    }

    /// Begins a file whose first row has that position.
    fn begin(&mut self, first: i64) -> Result<Arc<Segment>, NotWritten> {
        let path = self.folder.join(file_name(first));
        self.end_file().map_err(|error| failed(&self.folder, &error))?;
        let newest = self.create(&path, first).map_err(|error| {
            // What there is of it has no row, and is passed over.
            let _ = fs::remove_file(&path);
            failed(&path, &error)
        })?;
        let segment = newest.segment.clone();
        self.newest = Some(newest);
        Ok(segment)
    }

    fn create(&self, path: &Path, first: i64) -> io::Result<Newest> {
        if !self.folder.is_dir() {
            fs::create_dir(&self.folder)?;
            self.folder.parent().map_or(Ok(()), open::sync_folder)?;
        }
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
        let salt = RandomState::new().hash_one(first);
        file.write_all(&Header { first, salt }.to_bytes())?;
        if self.durability == Durability::Synced {
            file.sync_all()?;
            open::sync_folder(&self.folder)?;
        }
        let segment = Segment::open(path, first)?;
        let end = HEADER_BYTES as u64;
        Ok(Newest { segment, file, salt, end, allocated: end })
    }
}

/// Writes all of `parts`, as they lie in memory.
fn write_all(file: &mut File, mut parts: Vec<IoSlice<'_>>) -> io::Result<()> {
    let mut parts = parts.as_mut_slice();
    // Those without bytes at the beginning would look like the end.
    IoSlice::advance_slices(&mut parts, 0);
    while !parts.is_empty() {
        match file.write_vectored(parts) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut parts, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What a failure to write to `path` means.
fn failed(path: &Path, error: &io::Error) -> NotWritten {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    let path = path.to_owned();
    match error.kind() {
        StorageFull | QuotaExceeded => {
            NotWritten { error: StoreError::Full { path }, is_final: false }
        }
        _ => {
            let reason = error.to_string();
            NotWritten { error: StoreError::Failed { path, reason }, is_final: true }
        }
    }
}
