//! Reads rooms from the file, for every kind of reader. Whoever calls has a transaction open, so that
//! the index and the file are of the same moment.

use super::{
    checksum,
    index::{Brief, Index, Journal, RowPlace, Span},
    log::Segment,
    room_row::{self, RoomRow, columns},
    segment,
};
use crate::{
    ModuleHash, Quarantined, RoomSummary, StoreError, StoredRecords, StoredRoom, StoredSnapshot,
    Vitals,
};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::{collections::HashMap, io, sync::Arc};

/// Why something could not be read.
pub(crate) enum ReadError {
    Sqlite(rusqlite::Error),
    Store(StoreError),
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// A room's journal, and where each of its spans lies in the log; `None` for those that are carried.
pub(crate) struct Whereabouts {
    journal: Journal,
    places: Vec<Option<(Arc<Segment>, RowPlace)>>,
}

impl Whereabouts {
    pub(crate) fn of(room: &str, index: &Index) -> Option<Self> {
        let journal = index.journal(room)?.clone();
        let places = journal.spans.iter().map(|span| index.row_place(span.position)).collect();
        Some(Self { journal, places })
    }
}

fn damaged(room: &str, what: impl Into<String>) -> ReadError {
    ReadError::Store(StoreError::Damaged { room: room.into(), what: what.into() })
}

/// The room with all that its journal holds, which is what the index knows of it.
pub(crate) fn load(
    connection: &Connection,
    room: &str,
    journal: Option<Whereabouts>,
) -> Result<Option<StoredRoom>, ReadError> {
    let Some(number) = room_row::number(connection, room)? else {
        return match journal {
            None => Ok(None),
            Some(_) => Err(damaged(room, "its row is not found, though it has a journal")),
        };
    };
    let sql = concat!("SELECT ", columns!(), ", check_state, state FROM rooms WHERE number = ?1");
    let found = connection.prepare_cached(sql)?.query_row([number], |row| {
        let (name, number, head) = RoomRow::from(row)?;
        let is_intact = &*name == room && head.is_intact(number, room);
        Ok((is_intact, head, row.get::<_, i64>(8)?, row.get::<_, Vec<u8>>(9)?))
    });
    let Some((true, row, check_state, state)) = found.optional()? else {
        return Err(damaged(room, "the checksum of its row is wrong"));
    };
    if check_state != i64::from(checksum::state(number, row.at, &state)) {
        return Err(damaged(room, "the checksum of its snapshot is wrong"));
    }
    let snapshot = StoredSnapshot { at: row.at, module: row.module, state };
    let mut stored = StoredRoom { snapshot, tail: Vec::new(), vitals: row.vitals };
    if let Some(Whereabouts { journal, places }) = journal {
        let Journal { spans, vitals, damage, .. } = journal;
        if let Some(what) = damage {
            return Err(damaged(room, what));
        }
        stored.tail = tail(connection, room, number, spans.into_iter().zip(places))?;
        stored.vitals = vitals;
    }
    if stored.events() < row.events {
        return Err(damaged(room, "the end of its journal is missing"));
    }
    Ok(Some(stored))
}

fn tail(
    connection: &Connection,
    room: &str,
    number: i64,
    spans: impl IntoIterator<Item = (Span, Option<(Arc<Segment>, RowPlace)>)>,
) -> Result<Vec<StoredRecords>, ReadError> {
    let mut tail = Vec::new();
    for (span, place) in spans {
        let Span { follows, events, offset, length, check, .. } = span;
        let records = match place {
            None => {
                let sql = "SELECT records FROM carried WHERE number = ?1 AND follows = ?2";
                let mut statement = connection.prepare_cached(sql)?;
                statement.query_row(params![number, follows.cast_signed()], |row| row.get(0))?
            }
            Some((segment, row)) => {
                let mut records = vec![0; length as usize];
                let at = row.bodies_at + u64::from(offset);
                read(&segment, &mut records, at, room)?;
                records
            }
        };
        if check != checksum::records(number, room, follows, events, &records) {
            let what = format!("the checksum of the events after the first {follows} is wrong");
            return Err(damaged(room, what));
        }
        tail.push(StoredRecords { follows, events, records });
    }
    Ok(tail)
}

/// Reads from a file of the log.
fn read(segment: &Segment, bytes: &mut [u8], at: u64, room: &str) -> Result<(), ReadError> {
    segment::read_at(&segment.file, bytes, at).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => damaged(room, "a part of its journal is cut off"),
        _ => {
            let (path, reason) = (segment.path.clone(), error.to_string());
            ReadError::Store(StoreError::Unreadable { path, reason })
        }
    })
}

const QUARANTINED: &str =
    "(SELECT count(*) FROM quarantine WHERE quarantine.number = rooms.number)";

/// What can be told of `room` without reading its state and its journal.
pub(crate) fn summary(
    connection: &Connection,
    room: &str,
    brief: Option<Brief>,
) -> Result<Option<RoomSummary>, ReadError> {
    let sql = concat!("SELECT ", columns!(), ", length(state), ");
    let sql = format!("{sql}{QUARANTINED} FROM rooms WHERE number = ?1");
    let Some(number) = room_row::number(connection, room)? else { return Ok(None) };
    let mut statement = connection.prepare_cached(&sql)?;
    Ok(statement.query_row([number], |row| summarize(row, |_| brief)).optional()?)
}

/// The same of all rooms.
pub(crate) fn list(
    connection: &Connection,
    briefs: &HashMap<Arc<str>, Brief>,
) -> Result<Vec<RoomSummary>, ReadError> {
    let sql = concat!("SELECT ", columns!(), ", length(state), ");
    // By a scan of the table, which is quicker than by the index of names.
    let sql = format!("{sql}{QUARANTINED} FROM rooms NOT INDEXED");
    let mut statement = connection.prepare_cached(&sql)?;
    let rooms = statement.query_map((), |row| summarize(row, |room| briefs.get(room).copied()))?;
    let mut rooms = rooms.collect::<rusqlite::Result<Vec<_>>>()?;
    rooms.sort_unstable_by(|one, other| one.room.cmp(&other.room));
    Ok(rooms)
}

fn summarize(
    row: &Row<'_>,
    brief: impl FnOnce(&str) -> Option<Brief>,
) -> rusqlite::Result<RoomSummary> {
    let (room, number, head) = RoomRow::from(row)?;
    let without_journal = Brief { vitals: head.vitals, events: head.at, bytes: 0, damaged: false };
    let brief = brief(&room).unwrap_or(without_journal);
    let is_intact = head.is_intact(number, &room);
    Ok(RoomSummary {
        room,
        module: head.module,
        vitals: brief.vitals,
        events: brief.events.max(head.events),
        journal_bytes: brief.bytes,
        snapshot_bytes: row.get::<_, i64>(8)?.cast_unsigned(),
        quarantined: u32::try_from(row.get::<_, i64>(9)?).unwrap_or(u32::MAX),
        damaged: brief.damaged || brief.events < head.events || !is_intact,
    })
}

/// The rooms that need attention. A damaged one is among them if it seems to be one.
pub(crate) fn needing_attention(
    connection: &Connection,
    briefs: &HashMap<Arc<str>, Brief>,
) -> Result<Vec<(Arc<str>, Vitals)>, ReadError> {
    let sql = concat!(
        "SELECT ",
        columns!(),
        " FROM rooms INDEXED BY rooms_needing_attention WHERE wake_at IS NOT NULL OR clients > 0"
    );
    let mut rooms = Vec::new();
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        let (room, _, head) = RoomRow::from(row)?;
        if !briefs.contains_key(&room) {
            rooms.push((room, head.vitals));
        }
    }
    let with_journal = briefs.iter().map(|(room, brief)| (room.clone(), brief.vitals));
    rooms.extend(with_journal.filter(|(_, vitals)| vitals.need_attention()));
    Ok(rooms)
}

/// The events of `room` that were set aside, the oldest first.
pub(crate) fn quarantined(
    connection: &Connection,
    room: &str,
) -> Result<Vec<Quarantined>, ReadError> {
    let mut statement = connection.prepare_cached(
        "SELECT number, at, time, reason, event, check_row FROM quarantine \
         WHERE number = (SELECT number FROM rooms WHERE room = ?1) ORDER BY entry",
    )?;
    let mut rows = statement.query([room])?;
    let mut quarantined = Vec::new();
    while let Some(row) = rows.next()? {
        let number: i64 = row.get(0)?;
        let at = row.get::<_, i64>(1)?.cast_unsigned();
        let time = row.get::<_, i64>(2)?.cast_unsigned();
        let reason = String::from_utf8_lossy(row.get_ref(3)?.as_bytes().unwrap_or_default());
        let event: Vec<u8> = row.get(4)?;
        let check = i64::from(checksum::quarantine(number, at, time, &reason, &event));
        if row.get::<_, i64>(5)? != check {
            return Err(damaged(room, "the checksum of an event that was set aside is wrong"));
        }
        quarantined.push(Quarantined { at, time, reason: reason.into_owned(), event });
    }
    Ok(quarantined)
}

/// The module with that hash.
pub(crate) fn module(
    connection: &Connection,
    hash: &ModuleHash,
) -> Result<Option<Vec<u8>>, ReadError> {
    let sql = "SELECT bytes, check_row FROM modules WHERE hash = ?1";
    let found = connection
        .prepare_cached(sql)?
        .query_row([&hash.0[..]], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, i64>(1)?)))
        .optional()?;
    let Some((bytes, check)) = found else { return Ok(None) };
    if check != i64::from(checksum::module(&hash.0, &bytes)) {
        let what = "its checksum is wrong".into();
        return Err(ReadError::Store(StoreError::DamagedModule { hash: *hash, what }));
    }
    Ok(Some(bytes))
}
