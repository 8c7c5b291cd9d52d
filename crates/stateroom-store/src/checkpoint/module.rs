//! Rows of `modules`, with their checksums.

use super::large_column;
use crate::{
    ModuleHash,
    log::{entry::Large, layout::crc},
};
use rusqlite::{Connection, OptionalExtension};

/// A module in the checkpoint.
#[derive(Debug)]
pub(crate) struct ModuleRow {
    pub(crate) large: Option<Large>,
    pub(crate) bytes: Option<Vec<u8>>,
    pub(crate) is_intact: bool,
}

/// The checksum of a module's row.
pub(crate) fn check(hash: &ModuleHash, large: Option<Large>, bytes: Option<&[u8]>) -> u32 {
    let large = large.map(large_column::encode).unwrap_or_default();
    crc(crc(crc(0, &hash.0), &large), bytes.unwrap_or_default())
}

/// The module of that hash.
pub(crate) fn read(
    connection: &Connection,
    hash: &ModuleHash,
) -> rusqlite::Result<Option<ModuleRow>> {
    let sql = "SELECT check_row, large, bytes FROM modules WHERE hash = ?1";
    let row = connection.prepare_cached(sql)?.query_row([hash.0], |row| {
        let large: Option<Vec<u8>> = row.get(1)?;
        let large = large.as_deref().and_then(large_column::decode);
        let bytes: Option<Vec<u8>> = row.get(2)?;
        let check = check(hash, large, bytes.as_deref());
        let is_intact = row.get::<_, i64>(0)? == i64::from(check);
        Ok(ModuleRow { large, bytes, is_intact })
    });
    row.optional()
}
