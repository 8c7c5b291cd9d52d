//! Turns what SQLite says into errors that tell what to do.

use crate::StoreError;
use rusqlite::ErrorCode;
use std::{path::Path, sync::Arc};

/// What a failure on opening `path` means.
pub(crate) fn of_opening(path: &Path, error: rusqlite::Error) -> StoreError {
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

/// What a failure on reading from `path` means.
pub(crate) fn of_reading(path: &Path, error: &rusqlite::Error) -> StoreError {
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

/// What a failure on writing to `path` means. The second is whether it is final: whether it cannot be
/// known that nothing was written.
pub(crate) fn of_writing(path: &Path, error: &rusqlite::Error) -> (StoreError, bool) {
    let (path, reason) = (path.to_owned(), error.to_string());
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => (StoreError::Full { path }, false),
        // Of `BEGIN`, so nothing was written.
        Some(ErrorCode::DatabaseBusy) => (StoreError::Busy { path }, false),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            (StoreError::DamagedFile { path, what: reason }, true)
        }
        _ => (StoreError::Failed { path, reason }, true),
    }
}
