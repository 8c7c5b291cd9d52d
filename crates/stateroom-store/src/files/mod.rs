//! What a store asks of a disk: files, folders and the checkpoint's database. The real ones, and a
//! simulated disk with a seed, so that recovery, log and checkpoint are the same code on both.

mod bytes;
mod real;
mod real_database;
#[cfg(feature = "simulate")]
mod simulated;

pub(crate) use bytes::Bytes;
pub use real::RealFiles;
#[cfg(feature = "simulate")]
pub use simulated::{Chances, SimFiles};

use rusqlite::Connection;
use std::{
    fmt::Debug,
    io::{self, IoSlice},
    path::Path,
    sync::Arc,
};

/// A disk. Paths are as the store was given its folder.
pub trait Files: Send + Sync + Debug {
    /// Opens a file that is there, to read, and to write if that is allowed.
    ///
    /// # Errors
    /// Those of the system.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn OpenFile>>;

    /// Makes a file that is not there yet, or opens the one that is if `may_exist`.
    ///
    /// # Errors
    /// Those of the system.
    fn create(&self, path: &Path, may_exist: bool) -> io::Result<Arc<dyn OpenFile>>;

    /// Makes a folder that may be there, and those above it.
    ///
    /// # Errors
    /// Those of the system.
    fn create_folder(&self, path: &Path) -> io::Result<()>;

    /// The names in a folder; [`NotFound`](io::ErrorKind::NotFound) if there is no such folder.
    ///
    /// # Errors
    /// Those of the system.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;

    /// Makes the entries of a folder survive a power cut.
    ///
    /// # Errors
    /// Those of the system.
    fn flush_folder(&self, folder: &Path) -> io::Result<()>;

    /// Gives a file or folder another name. What had that name is gone.
    ///
    /// # Errors
    /// Those of the system.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// Those of the system.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty folder.
    ///
    /// # Errors
    /// Those of the system.
    fn remove_folder(&self, path: &Path) -> io::Result<()>;

    /// What names the file or folder at `path` as long as it exists, whatever its name: device and
    /// number. `None` where the system has no such thing.
    ///
    /// # Errors
    /// Those of the system.
    fn identity(&self, path: &Path) -> io::Result<Option<(u64, u64)>>;

    /// Holds a folder against other processes until what is returned is dropped, whatever becomes of the
    /// names in it; `None` if another one has it. Where the system has no such thing, everybody does.
    ///
    /// # Errors
    /// Those of the system.
    fn hold_folder(&self, _folder: &Path) -> io::Result<Option<Box<dyn Send + Sync>>> {
        Ok(Some(Box::new(())))
    }

    /// Names the time since the machine was started; `None` where nobody tells.
    fn boot(&self) -> Option<String>;

    /// Opens the checkpoint's database at `path`, for the one who writes. `needed` says that what is in
    /// its write-ahead log is a part of it. `None` if it is missing, empty, or lacks that log.
    ///
    /// # Errors
    /// Those of the system and the database.
    fn open_database(&self, path: &Path, needed: bool)
    -> Result<Option<Connection>, DatabaseError>;

    /// Makes the database at `path` anew, whatever is there.
    ///
    /// # Errors
    /// Those of the system and the database.
    fn create_database(&self, path: &Path) -> Result<Connection, DatabaseError>;

    /// Another connection to the database at `path`, to read beside the one who writes; `None` if it is
    /// missing or empty.
    ///
    /// # Errors
    /// Those of the database.
    fn read_database(&self, path: &Path) -> Result<Option<Connection>, DatabaseError>;

    /// `None` where a connection sees what is committed later, and time passes by itself. Else each is a
    /// copy, of this age of the database.
    fn database_age(&self) -> Option<u64>;

    /// Commits the transaction that is open, and flushes it.
    ///
    /// # Errors
    /// Those of the database.
    fn commit_database(&self, path: &Path, connection: &Connection) -> rusqlite::Result<()>;

    /// How many bytes the database's write-ahead log has.
    fn database_log_bytes(&self, path: &Path) -> u64;

    /// What the first bytes of the file at `path` are; fewer than asked for at its end, none if there is
    /// no such file.
    ///
    /// # Errors
    /// Those of the system.
    fn beginning(&self, path: &Path, bytes: usize) -> io::Result<Vec<u8>> {
        let file = match self.open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            file => file?,
        };
        let mut buffer = vec![0; bytes];
        let read = file.read_at(&mut buffer, 0)?;
        buffer.truncate(read);
        Ok(buffer)
    }
}

/// An open file.
pub trait OpenFile: Send + Sync + Debug {
    /// Writes at `offset`, all of `parts` or the beginning of them. Returns how many bytes.
    ///
    /// # Errors
    /// Those of the system.
    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<usize>;

    /// Reads from `offset` until `buffer` is full or the file ends. Returns how many bytes.
    ///
    /// # Errors
    /// Those of the system.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Makes what was written survive a power cut.
    ///
    /// # Errors
    /// Those of the system. What was written may then be on the disk or not, whatever is read.
    fn flush(&self) -> io::Result<()>;

    /// How many bytes it has.
    ///
    /// # Errors
    /// Those of the system.
    fn length(&self) -> io::Result<u64>;

    /// Takes space up to `length` before there is something to write, where the system can. Reads as
    /// zeroes.
    ///
    /// # Errors
    /// That there is no space.
    fn allocate(&self, length: u64) -> io::Result<()>;

    /// Cuts the file off.
    ///
    /// # Errors
    /// Those of the system.
    fn truncate(&self, length: u64) -> io::Result<()>;

    /// Locks it against other processes, until it is dropped or the process ends. `false` if another one
    /// has.
    ///
    /// # Errors
    /// Those of the system.
    fn try_lock(&self) -> io::Result<bool>;

    /// What names it as long as it exists: device and number.
    ///
    /// # Errors
    /// Those of the system.
    fn identity(&self) -> io::Result<Option<(u64, u64)>>;
}

/// Why a database cannot be opened.
#[derive(Debug)]
pub enum DatabaseError {
    /// The system or file says so.
    Io(io::Error),
    /// SQLite says so.
    Sqlite(rusqlite::Error),
}

impl From<io::Error> for DatabaseError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<rusqlite::Error> for DatabaseError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// Writes all of `parts` at `offset`, and tells how much was written when it fails.
pub(crate) fn write_all(
    file: &dyn OpenFile,
    parts: &mut [IoSlice<'_>],
    mut offset: u64,
) -> io::Result<()> {
    let mut parts = parts;
    IoSlice::advance_slices(&mut parts, 0);
    while !parts.is_empty() {
        match file.write_at(parts, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                IoSlice::advance_slices(&mut parts, written);
                offset += written as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// All bytes of a file.
pub(crate) fn read_all(file: &dyn OpenFile) -> io::Result<Vec<u8>> {
    let length = usize::try_from(file.length()?).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let mut bytes = vec![0; length];
    let read = file.read_at(&mut bytes, 0)?;
    bytes.truncate(read);
    Ok(bytes)
}
