//! States and modules that are too large for a record: each in a file of its own, with a random name,
//! which is on the disk before the record that names it is written.

use super::{entry::Large, layout::crc};
use crate::{
    faults::{Deliberate, is_on},
    files::{Files, read_all, write_all},
};
use std::{
    io::{self, IoSlice},
    path::{Path, PathBuf},
};

/// The folder of them, in that of the store.
pub(crate) const FOLDER: &str = "large";

/// The file of `name`.
pub(crate) fn path(folder: &Path, name: u128) -> PathBuf {
    folder.join(FOLDER).join(format!("{name:032x}"))
}

/// Why it was not written.
pub(crate) enum NotWritten {
    /// It can be tried again.
    Before(io::Error),
    /// A flush has failed.
    Flush(io::Error),
}

/// Writes `bytes` to a file of its own. Its folder is to be [flushed](flush_folder) yet.
pub(crate) fn write(files: &dyn Files, folder: &Path, bytes: &[u8]) -> Result<Large, NotWritten> {
    let name = fastrand::u128(..);
    let path = path(folder, name);
    let file = files.create(&path, false).map_err(NotWritten::Before)?;
    if let Err(error) = write_all(&*file, &mut [IoSlice::new(bytes)], 0) {
        // Nobody knows of it.
        let _ = files.remove(&path);
        return Err(NotWritten::Before(error));
    }
    if !is_on(Deliberate::LargeNotFlushed) {
        file.flush().map_err(NotWritten::Flush)?;
    }
    Ok(Large { name, length: bytes.len() as u64, check: crc(0, bytes) })
}

/// Makes the names of what was written survive.
pub(crate) fn flush_folder(files: &dyn Files, folder: &Path) -> Result<(), NotWritten> {
    if is_on(Deliberate::LargeFolderNotFlushed) {
        return Ok(());
    }
    files.flush_folder(&folder.join(FOLDER)).map_err(NotWritten::Flush)
}

/// What was written; `None` if it is gone or damaged.
pub(crate) fn read(files: &dyn Files, folder: &Path, large: Large) -> io::Result<Option<Vec<u8>>> {
    let file = match files.open(&path(folder, large.name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    if file.length()? != large.length {
        return Ok(None);
    }
    let bytes = read_all(&*file)?;
    Ok((crc(0, &bytes) == large.check).then_some(bytes))
}

/// The names in the folder.
pub(crate) fn list(files: &dyn Files, folder: &Path) -> io::Result<Vec<u128>> {
    let names = match files.list(&folder.join(FOLDER)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        names => names?,
    };
    Ok(names.iter().filter_map(|name| u128::from_str_radix(name, 16).ok()).collect())
}
