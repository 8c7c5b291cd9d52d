//! Turns what the system and SQLite say into errors that tell what to do.

use crate::{StoreError, files::DatabaseError};
use rusqlite::ErrorCode;
use std::{io, path::Path, sync::Arc};

/// What a failure to open or make `path` means.
pub(crate) fn of_opening(path: &Path, error: io::Error) -> StoreError {
    use io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let path = path.to_owned();
    match error.kind() {
        ReadOnlyFilesystem | PermissionDenied => StoreError::ReadOnly { path },
        StorageFull | QuotaExceeded => StoreError::Full { path },
        _ => StoreError::CannotOpen { path, source: Arc::new(error) },
    }
}

/// What a failure to write to `path` means when nothing, or only a part, was handed over.
pub(crate) fn of_writing(path: &Path, error: &io::Error) -> StoreError {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    let path = path.to_owned();
    match error.kind() {
        StorageFull | QuotaExceeded => StoreError::Full { path },
        _ => StoreError::NotWritten { path, reason: error.to_string() },
    }
}

/// What a failure to flush `path`, or another one that is final, means.
pub(crate) fn of_flushing(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Failed { path: path.to_owned(), reason: error.to_string() }
}

/// What a failure to read `path` means.
pub(crate) fn of_reading(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Unreadable { path: path.to_owned(), reason: error.to_string() }
}

/// What a failure to open the database at `path` means.
pub(crate) fn of_database(path: &Path, error: DatabaseError) -> StoreError {
    let error = match error {
        DatabaseError::Io(error) => return of_opening(path, error),
        DatabaseError::Sqlite(error) => error,
    };
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => StoreError::NotAStore { path },
        Some(ErrorCode::DatabaseCorrupt) => {
            StoreError::DamagedFile { path, what: error.to_string() }
        }
        Some(ErrorCode::ReadOnly) => StoreError::ReadOnly { path },
        Some(ErrorCode::DiskFull) => StoreError::Full { path },
        Some(ErrorCode::DatabaseBusy) => StoreError::Busy { path },
        _ => StoreError::CannotOpen { path, source: Arc::new(error) },
    }
}

/// What a failure to read from the database at `path` means.
pub(crate) fn of_query(path: &Path, error: &rusqlite::Error) -> StoreError {
    let (path, what) = (path.to_owned(), error.to_string());
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::DamagedFile { path, what }
        }
        Some(ErrorCode::DatabaseBusy) => StoreError::Busy { path },
        // Not of the type that was written: no disk does that by itself, but a flipped bit does.
        None => StoreError::DamagedFile { path, what },
        Some(_) => StoreError::Unreadable { path, reason: what },
    }
}

/// What a failure to change the database at `path` means, and whether it is final: one that comes
/// before anything is flushed can be tried again.
pub(crate) fn of_change(path: &Path, error: &rusqlite::Error) -> (StoreError, bool) {
    let (path, reason) = (path.to_owned(), error.to_string());
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => (StoreError::Full { path }, false),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            (StoreError::Busy { path }, false)
        }
        Some(ErrorCode::CannotOpen) => (StoreError::NotWritten { path, reason }, false),
        _ => (StoreError::Failed { path, reason }, true),
    }
}
