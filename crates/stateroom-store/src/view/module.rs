//! How a module is read.

use super::{Owned, ReadError, Result, View};
use crate::{
    ModuleHash, StoreError, checkpoint,
    log::{entry::Place, large},
};

impl View<'_> {
    /// The module of that hash, of which the log has an entry at `place`.
    pub(crate) fn module(
        &self,
        hash: &ModuleHash,
        place: Option<Place>,
    ) -> Result<Option<Vec<u8>>> {
        let damaged = |what: &str| {
            let what = what.to_owned();
            Err(ReadError::Store(StoreError::DamagedModule { hash: *hash, what }))
        };
        let (large, bytes, is_intact) =
            match place.map(|place| self.entry("", place)).transpose()? {
                Some(Some(read)) if matches!(read.change, Owned::Module) => {
                    (read.large, Some(read.body), read.is_intact)
                }
                Some(Some(_)) => return damaged("its record is another one"),
                Some(None) | None => {
                    let Some(connection) = self.connection else { return Ok(None) };
                    match checkpoint::module::read(connection, hash)? {
                        Some(row) => (row.large, row.bytes, row.is_intact),
                        None if place.is_some() => return damaged("its record cannot be read"),
                        None => return Ok(None),
                    }
                }
            };
        match (large, bytes) {
            _ if !is_intact => damaged("its checksum is wrong"),
            (Some(it), _) => match large::read(self.files, self.folder, it)? {
                Some(bytes) => Ok(Some(bytes)),
                None => damaged("its file is missing or damaged"),
            },
            (None, Some(bytes)) => Ok(Some(bytes)),
            (None, None) => damaged("it is missing"),
        }
    }
}
