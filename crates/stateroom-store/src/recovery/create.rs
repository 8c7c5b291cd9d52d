//! Makes the log of a new store.

use super::boot::boot_id;
use crate::{
    Durability, StoreError, failure,
    files::{Files, write_all},
    log::{
        layout::{Header, LogId},
        writer::file_name,
    },
};
use std::{
    io::{self, IoSlice},
    path::Path,
};

/// Makes a log with a whole first file, under another name until it is on the disk.
pub(super) fn create(
    files: &dyn Files,
    folder: &Path,
    durability: Durability,
) -> Result<(), StoreError> {
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
