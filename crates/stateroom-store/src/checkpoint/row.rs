//! Rows of `rooms`, with their checksums.

use super::large_column;
use crate::{
    ModuleHash, Vitals,
    log::{
        entry::{Large, Place},
        layout::crc,
    },
};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::sync::Arc;

/// A row of `rooms`, without the state.
#[derive(Debug, Clone)]
pub(crate) struct RoomRow {
    pub(crate) number: i64,
    pub(crate) room: Arc<str>,
    /// All of the log up to here is in it.
    pub(crate) position: u64,
    /// The last entry of it that was taken. Where the log still goes back so far, what follows leads there.
    pub(crate) last: Place,
    pub(crate) deleted: bool,
    pub(crate) at: u64,
    pub(crate) events: u64,
    pub(crate) module: ModuleHash,
    pub(crate) vitals: Vitals,
    pub(crate) large: Option<Large>,
    pub(crate) check_state: u32,
    /// Whether its checksum is right.
    pub(crate) is_intact: bool,
}

const COLUMNS: &str = "number, room, position, deleted, at, events, module, wake_at, clients, heard_at, \
     check_row, check_state, large, last, last_place";

impl RoomRow {
    fn from(row: &Row<'_>) -> rusqlite::Result<Self> {
        let text = row.get_ref(1)?.as_bytes().unwrap_or_default();
        // What is no UTF-8 was not written by us, and fails its checksum.
        let room: Arc<str> = Arc::from(String::from_utf8_lossy(text));
        let number = |place: usize| row.get::<_, i64>(place).map(i64::cast_unsigned);
        let module = row.get_ref(6)?.as_blob().ok().and_then(|hash| hash.try_into().ok());
        let wake_at: Option<i64> = row.get(7)?;
        let large: Option<Vec<u8>> = row.get(12)?;
        let mut it = RoomRow {
            number: row.get(0)?,
            room,
            position: number(2)?,
            last: Place {
                position: number(13)?,
                at: u32::try_from(row.get::<_, i64>(14)?).unwrap_or(u32::MAX),
            },
            deleted: row.get::<_, i64>(3)? != 0,
            at: number(4)?,
            events: number(5)?,
            module: ModuleHash(module.unwrap_or_default()),
            vitals: Vitals {
                wake_at: wake_at.map(i64::cast_unsigned),
                clients: u32::try_from(row.get::<_, i64>(8)?).unwrap_or(u32::MAX),
                heard_at: number(9)?,
            },
            large: large.as_deref().and_then(large_column::decode),
            check_state: u32::try_from(row.get::<_, i64>(11)?).unwrap_or(0),
            is_intact: false,
        };
        it.is_intact = i64::from(it.check()) == row.get::<_, i64>(10)?;
        Ok(it)
    }

    fn check(&self) -> u32 {
        let mut check = crc(0, self.room.as_bytes());
        let wake_at = self.vitals.wake_at;
        let numbers = [
            self.number.cast_unsigned(),
            self.position,
            self.last.position,
            self.last.at.into(),
            self.deleted.into(),
            self.at,
            self.events,
            wake_at.is_some().into(),
            wake_at.unwrap_or(0),
            self.vitals.clients.into(),
            self.vitals.heard_at,
            self.check_state.into(),
        ];
        for number in numbers {
            check = crc(check, &number.to_le_bytes());
        }
        let large = self.large.map(large_column::encode).unwrap_or_default();
        crc(crc(check, &self.module.0), &large)
    }

    /// The row of `room`, also if it is marked as deleted.
    pub(crate) fn read(connection: &Connection, room: &str) -> rusqlite::Result<Option<Self>> {
        let sql = format!("SELECT {COLUMNS} FROM rooms WHERE room = ?1");
        let row = connection.prepare_cached(&sql)?.query_row([room], Self::from).optional();
        // By the index; the row itself may have another name, if a bit has flipped.
        Ok(row?.map(|row| RoomRow { is_intact: row.is_intact && *row.room == *room, ..row }))
    }

    /// Has `see` look at all rows whose room is not deleted and for which `condition` holds, ordered so,
    /// until it returns `false`.
    pub(crate) fn each(
        connection: &Connection,
        condition: &str,
        bound: Option<i64>,
        mut see: impl FnMut(Self) -> bool,
    ) -> rusqlite::Result<()> {
        let sql = format!("SELECT {COLUMNS} FROM rooms WHERE deleted = 0 {condition}");
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = match bound {
            Some(bound) => statement.query([bound])?,
            None => statement.query(())?,
        };
        while let Some(row) = rows.next()? {
            if !see(Self::from(row)?) {
                break;
            }
        }
        Ok(())
    }

    /// Writes it as a new row; `number` is given by the database.
    pub(crate) fn insert(
        &mut self,
        connection: &Connection,
        state: Option<&[u8]>,
    ) -> rusqlite::Result<()> {
        let sql = "INSERT INTO rooms (room, position, last, last_place, deleted, at, events, module, wake_at, clients, \
                   heard_at, check_row, check_state, large, state) \
                   VALUES (?1, 0, 0, 0, 0, 0, 0, x'', NULL, 0, 0, 0, 0, NULL, NULL)";
        connection.prepare_cached(sql)?.execute([&*self.room])?;
        self.number = connection.last_insert_rowid();
        self.update(connection, Some(state))
    }

    /// Writes it over the row of its number; the state stays if none is given.
    pub(crate) fn update(
        &self,
        connection: &Connection,
        state: Option<Option<&[u8]>>,
    ) -> rusqlite::Result<()> {
        let set = "UPDATE rooms SET position = ?2, deleted = ?3, at = ?4, events = ?5, module = ?6, \
                   wake_at = ?7, clients = ?8, heard_at = ?9, check_row = ?10, check_state = ?11, \
                   large = ?12, last = ?13, last_place = ?14";
        let set_state = if state.is_some() { ", state = ?15" } else { "" };
        let sql = format!("{set}{set_state} WHERE number = ?1");
        let mut statement = connection.prepare_cached(&sql)?;
        if let Some(state) = state {
            statement.raw_bind_parameter(15, state)?;
        }
        let values = params![
            self.number,
            self.position.cast_signed(),
            i64::from(self.deleted),
            self.at.cast_signed(),
            self.events.cast_signed(),
            self.module.0,
            self.vitals.wake_at.map(u64::cast_signed),
            self.vitals.clients,
            self.vitals.heard_at.cast_signed(),
            self.check(),
            self.check_state,
            self.large.map(large_column::encode),
            self.last.position.cast_signed(),
            self.last.at,
        ];
        for (value, place) in values.iter().zip(1..) {
            statement.raw_bind_parameter(place, value)?;
        }
        statement.raw_execute().map(|_| ())
    }

    /// Its state, if that is in the row.
    pub(crate) fn state(&self, connection: &Connection) -> rusqlite::Result<Option<Vec<u8>>> {
        let sql = "SELECT state FROM rooms WHERE number = ?1";
        connection.prepare_cached(sql)?.query_row([self.number], |row| row.get(0))
    }
}

/// Has `see` look at each room that is not deleted, and its module, in no particular order. Reads an index
/// only.
pub(crate) fn each_module(
    connection: &Connection,
    mut see: impl FnMut(&str, Option<ModuleHash>),
) -> rusqlite::Result<()> {
    let mut statement =
        connection.prepare_cached("SELECT room, module FROM rooms WHERE deleted = 0")?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        let module = row.get_ref(1)?.as_blob().ok().and_then(|hash| hash.try_into().ok());
        see(row.get_ref(0)?.as_str().unwrap_or_default(), module.map(ModuleHash));
    }
    Ok(())
}
