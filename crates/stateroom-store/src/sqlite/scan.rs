//! Builds the index when a store is opened: reads the tables of contents of the log, not its bodies.

use super::{
    checksum, failure,
    index::{CARRIED, Index, Journal, Span},
    room_row::{self, RoomRow},
    table_of_contents::{self, Entry},
};
use crate::{StoreError, Vitals};
use rusqlite::{Connection, OptionalExtension, Row};
use std::{
    collections::{HashMap, VecDeque},
    path::Path,
    sync::Arc,
};

/// What was found of a room, in the order it was written.
#[derive(Default)]
struct Found {
    vitals: Vitals,
    spans: VecDeque<Span>,
    damage: Option<&'static str>,
}

/// Reads where everything lies. Sees one moment if a transaction is open on `connection`.
pub(crate) fn scan(connection: &Connection, path: &Path) -> Result<Index, StoreError> {
    let of_reading = |error| failure::of_reading(path, &error);
    if !room_row::has_all_names(connection).map_err(of_reading)? {
        let what = "its index of names is wrong (`sqlite3 rooms.db 'REINDEX rooms'` may repair it)";
        return Err(StoreError::DamagedFile { path: path.to_owned(), what: what.into() });
    }
    let mut found: HashMap<i64, Found> = HashMap::new();
    scan_carried(connection, &mut found).map_err(of_reading)?;
    let mut index = scan_log(connection, path, &mut found)?;
    for (number, found) in found {
        let row = RoomRow::read_by_number(connection, number).optional().map_err(of_reading)?;
        // A room that is gone has left it behind.
        let Some((room, row)) = row else { continue };
        let journal = journal(number, &room, &row, found);
        if !journal.spans.is_empty() || journal.damage.is_some() {
            index.insert(room, journal);
        }
    }
    Ok(index)
}

/// What is left of `found` after the snapshot in `row`, and whether that is all there should be.
fn journal(number: i64, room: &Arc<str>, row: &RoomRow, found: Found) -> Journal {
    let Found { vitals, mut spans, mut damage } = found;
    spans.retain(|span| span.end() > row.at);
    let mut at = row.at;
    for (place, span) in spans.iter().enumerate() {
        let fits = span.follows == at || (place == 0 && span.follows < at);
        if !fits {
            damage = damage.or(Some("a part of its journal is missing"));
        }
        at = span.end();
    }
    if at < row.events {
        damage = damage.or(Some("the end of its journal is missing"));
    }
    if !row.is_intact(number, room) {
        damage = Some("the checksum of its row is wrong");
    }
    // What was told with the snapshot is newer, unless there were events after it was written.
    let vitals = if at > row.events { vitals } else { row.vitals };
    Journal { number, snapshot_at: row.at, vitals, spans, damage }
}

fn scan_carried(connection: &Connection, found: &mut HashMap<i64, Found>) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(
        "SELECT number, follows, events, wake_at, clients, check_row, check_records, length(records) \
         FROM carried ORDER BY number, follows",
    )?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        let (number, follows, events) = (row.get(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?);
        let wake_at: Option<i64> = row.get(3)?;
        let vitals = Vitals {
            wake_at: wake_at.map(i64::cast_unsigned),
            clients: row.get::<_, i64>(4)? as u32,
        };
        let (check_row, check) = (row.get::<_, i64>(5)?, row.get::<_, i64>(6)? as u32);
        let (follows, events) = (follows.cast_unsigned(), events as u32);
        let length = row.get::<_, i64>(7)?.cast_unsigned();
        let room = found.entry(number).or_default();
        let expected = checksum::carried(number, follows, events, vitals, check, length);
        if i64::from(expected) != check_row {
            room.damage = Some("the checksum of a carried part of its journal is wrong");
        }
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        room.spans.push_back(Span { follows, events, position: CARRIED, offset: 0, length, check });
        room.vitals = vitals;
    }
    Ok(())
}

fn scan_log(
    connection: &Connection,
    path: &Path,
    found: &mut HashMap<i64, Found>,
) -> Result<Index, StoreError> {
    let of_reading = |error| failure::of_reading(path, &error);
    let damaged = |what| StoreError::DamagedFile { path: path.to_owned(), what };
    let sql = "SELECT position, contents, length(bodies) FROM log ORDER BY position";
    let mut statement = connection.prepare(sql).map_err(of_reading)?;
    let mut rows = statement.query(()).map_err(of_reading)?;
    let mut index = Index::new(1);
    let mut is_first = true;
    while let Some(row) = rows.next().map_err(of_reading)? {
        let position: i64 = row.get(0).map_err(of_reading)?;
        if is_first {
            is_first = false;
            index = Index::new(position);
        }
        if position != index.next_position() || position <= CARRIED {
            return Err(damaged(format!("row {} of the log is missing", index.next_position())));
        }
        let contents = row.get_ref(1).map_err(of_reading)?;
        let contents =
            contents.as_blob().ok().and_then(|it| table_of_contents::decode(position, it));
        let entries = match contents {
            Some(entries) => entries,
            None => read_again(connection, position).map_err(of_reading)?.ok_or_else(|| {
                damaged(format!("both tables of contents of row {position} of the log are wrong"))
            })?,
        };
        let length: i64 = row.get(2).map_err(of_reading)?;
        if !note(found, position, &entries, length.cast_unsigned()) {
            return Err(damaged(format!("the bodies of row {position} of the log are cut off")));
        }
        index.push_row(length.cast_unsigned());
    }
    // Rows have checksums; that the newest are there at all, nothing else would tell.
    let newest = newest(connection).map_err(of_reading)?;
    match newest {
        Some(newest) if newest == index.next_position() - 1 => Ok(index),
        Some(newest) => Err(damaged(format!("row {newest} of the log is missing"))),
        None => Err(damaged("the position of its newest row is wrong".to_owned())),
    }
}

/// The position of the newest row of the log, 0 if there was none yet; `None` if it is damaged.
fn newest(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT position, check_row FROM newest";
    let read = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
    let newest = connection.query_row(sql, (), read).optional()?;
    let intact = newest.filter(|(position, check)| *check == checksum::newest(*position).into());
    Ok(intact.map(|(position, _)| position))
}

/// The entries of a row of the log by its second table of contents.
pub(crate) fn read_again(
    connection: &Connection,
    position: i64,
) -> rusqlite::Result<Option<Vec<Entry>>> {
    let sql = "SELECT contents_again FROM log WHERE position = ?1";
    connection.prepare_cached(sql)?.query_row([position], |row| {
        let contents = row.get_ref(0)?.as_blob().ok();
        Ok(contents.and_then(|contents| table_of_contents::decode(position, contents)))
    })
}

/// Adds the entries of a row; `false` if they don't fit into its `length`.
fn note(found: &mut HashMap<i64, Found>, position: i64, entries: &[Entry], length: u64) -> bool {
    let mut offset: u32 = 0;
    for entry in entries {
        let Entry { number, follows, events, length, check, .. } = *entry;
        let room = found.entry(number).or_default();
        room.spans.push_back(Span { follows, events, position, offset, length, check });
        room.vitals = entry.vitals();
        let Some(end) = offset.checked_add(length) else { return false };
        offset = end;
    }
    u64::from(offset) == length
}
