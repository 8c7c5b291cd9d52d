//! A row of the table `rooms`, without the state.

use super::checksum;
use crate::{ModuleHash, Vitals};
use rusqlite::{Connection, OptionalExtension, Row};
use std::sync::Arc;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct RoomRow {
    /// After how many events the snapshot was taken.
    pub(crate) at: u64,
    /// How many events the room had had when this row was written: at least as many are to be found.
    pub(crate) events: u64,
    pub(crate) module: ModuleHash,
    pub(crate) vitals: Vitals,
    /// The checksum of it all, as stored.
    check: i64,
}

/// The columns that [`RoomRow::from`] expects first.
macro_rules! columns {
    () => {
        "room, number, at, events, module, wake_at, clients, check_row"
    };
}
pub(crate) use columns;

/// The number of `room`.
///
/// Whatever else is wanted of a room is then read by its number, and with it the name in the row: by
/// the name, SQLite would find it in its index, and a flipped bit in the row's own name would pass.
pub(crate) fn number(connection: &Connection, room: &str) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT number FROM rooms WHERE room = ?1";
    connection.prepare_cached(sql)?.query_row([room], |row| row.get(0)).optional()
}

/// Notes in `log.names`, the sum of the checksums of all names, that a room was added or removed.
/// By it, a name that is missing from SQLite's index is noticed when the store is opened.
pub(crate) fn count_name(
    connection: &Connection,
    number: i64,
    room: &str,
    added: bool,
) -> rusqlite::Result<()> {
    let check = i64::from(checksum::name(number, room.as_bytes()));
    let sql = "UPDATE log SET names = names + ?1";
    let mut statement = connection.prepare_cached(sql)?;
    statement.execute([if added { check } else { -check }])?;
    Ok(())
}

/// Whether SQLite's index of names has all names, and none else.
pub(crate) fn has_all_names(connection: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT number, room FROM rooms INDEXED BY sqlite_autoindex_rooms_1";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query(())?;
    let mut sum: i64 = 0;
    while let Some(row) = rows.next()? {
        let room = row.get_ref(1)?.as_bytes().unwrap_or_default();
        sum = sum.wrapping_add(checksum::name(row.get(0)?, room).into());
    }
    let sql = "SELECT names FROM log";
    let names: Option<i64> = connection.query_row(sql, (), |row| row.get(0)).optional()?;
    Ok(names == Some(sum))
}

impl RoomRow {
    /// The first columns of `row`, which are those of `columns`: the room, its number, and the rest.
    pub(crate) fn from(row: &Row<'_>) -> rusqlite::Result<(Arc<str>, i64, Self)> {
        let room = row.get_ref(0)?.as_bytes().unwrap_or_default();
        // What is no UTF-8 was not written by us, and fails its checksum.
        let room = Arc::from(String::from_utf8_lossy(room));
        let number = row.get(1)?;
        let wake_at: Option<i64> = row.get(5)?;
        let vitals = Vitals {
            wake_at: wake_at.map(i64::cast_unsigned),
            clients: row.get::<_, i64>(6)? as u32,
            heard_at: 0,
        };
        // Likewise a hash of another length.
        let module = row.get_ref(4)?.as_blob().ok().and_then(|hash| hash.try_into().ok());
        let row = Self {
            at: row.get::<_, i64>(2)?.cast_unsigned(),
            events: row.get::<_, i64>(3)?.cast_unsigned(),
            module: ModuleHash(module.unwrap_or_default()),
            vitals,
            check: row.get(7)?,
        };
        Ok((room, number, row))
    }

    /// The row with that number, and its room.
    pub(crate) fn read_by_number(
        connection: &Connection,
        number: i64,
    ) -> rusqlite::Result<(Arc<str>, Self)> {
        let sql = concat!("SELECT ", columns!(), " FROM rooms WHERE number = ?1");
        connection.prepare_cached(sql)?.query_row([number], |row| {
            let (room, _, row) = Self::from(row)?;
            Ok((room, row))
        })
    }

    /// Whether its checksum is right, if it is the row of that number and room.
    pub(crate) fn is_intact(&self, number: i64, room: &str) -> bool {
        let Self { at, events, module, vitals, check } = self;
        *check == i64::from(checksum::room(number, room, *at, *events, &module.0, *vitals))
    }
}
