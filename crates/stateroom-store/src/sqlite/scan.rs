//! Builds the index when a store is opened: reads the tables of contents of the log, not its bodies.

use super::{
    checksum, failure,
    index::{CARRIED, Index, Journal, Span},
    log::{self, Segment},
    room_row::{self, RoomRow},
    segment::{Row, Rows},
    standing::Standing,
};
use crate::{StoreError, Vitals};
use rusqlite::{Connection, OptionalExtension};
use std::{
    collections::{HashMap, VecDeque},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// What was found.
pub(crate) struct Scanned {
    pub(crate) index: Index,
    /// What the database knew of the log.
    pub(crate) standing: Standing,
    /// The greatest number of a room in the log.
    pub(crate) greatest: i64,
    pub(crate) leftovers: Leftovers,
}

/// What lies about that is not needed: whoever writes clears it away.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Leftovers {
    /// Files of which nothing is needed.
    pub(crate) files: Vec<PathBuf>,
    /// A file, and where the last whole row in it ends.
    pub(crate) torn: Option<(PathBuf, u64)>,
}

/// What was found of a room, in the order it was written.
#[derive(Default)]
struct Found {
    vitals: Vitals,
    spans: VecDeque<Span>,
    damage: Option<&'static str>,
}

/// Reads where everything lies. Sees one moment if a transaction is open on `connection`, which is that
/// of the database at `path`.
pub(crate) fn scan(connection: &Connection, path: &Path) -> Result<Scanned, StoreError> {
    let of_reading = |error| failure::of_reading(path, &error);
    let damaged = |what: &str| StoreError::DamagedFile { path: path.to_owned(), what: what.into() };
    if !room_row::has_all_names(connection).map_err(of_reading)? {
        return Err(damaged(
            "its index of names is wrong (`sqlite3 rooms.db 'REINDEX rooms'` may repair it)",
        ));
    }
    let standing = Standing::read(connection).map_err(of_reading)?;
    let standing = standing.ok_or_else(|| damaged("what it knows of its log is wrong"))?;
    let mut found: HashMap<i64, Found> = HashMap::new();
    scan_carried(connection, &mut found).map_err(of_reading)?;
    let folder = log::folder_of(path.parent().unwrap_or(Path::new("")));
    let (mut index, leftovers) = scan_log(&folder, &standing, &mut found)?;
    let greatest = found.keys().copied().max().unwrap_or(0);
    for (number, found) in found {
        let row = RoomRow::read_by_number(connection, number).optional().map_err(of_reading)?;
        // A room that is gone has left it behind.
        let Some((room, row)) = row else { continue };
        let journal = journal(number, &room, &row, found);
        if !journal.spans.is_empty() || journal.damage.is_some() {
            index.insert(room, journal);
        }
    }
    Ok(Scanned { index, standing, greatest, leftovers })
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
            heard_at: 0,
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

/// Reads the files of the log, in order.
fn scan_log(
    folder: &Path,
    standing: &Standing,
    found: &mut HashMap<i64, Found>,
) -> Result<(Index, Leftovers), StoreError> {
    let of_reading = |error: io::Error| StoreError::Unreadable {
        path: folder.to_owned(),
        reason: error.to_string(),
    };
    let missing = |row: i64| StoreError::DamagedFile {
        path: folder.to_owned(),
        what: format!("row {row} of the log is missing"),
    };
    let may_lack_commits = standing.may_lack_commits();
    let mut index = Index::new(standing.first);
    let mut leftovers = Leftovers::default();
    let mut files: VecDeque<_> = log::files(folder).map_err(of_reading)?.into();
    while let Some((first, path)) = files.pop_front() {
        let is_gone = first < standing.first;
        if is_gone {
            // It was about to be removed.
            leftovers.files.push(path);
            continue;
        }
        let rows = Rows::open(&path).map_err(of_reading)?;
        let next = index.next_position();
        let Some(mut rows) = rows.filter(|rows| rows.header.first == first && first == next) else {
            // The newest may have been about to be made.
            if may_lack_commits || (files.is_empty() && next > standing.newest) {
                leftovers.files.push(path);
                leftovers.files.extend(files.drain(..).map(|(_, path)| path));
                break;
            }
            return Err(missing(next));
        };
        let segment = Segment::open(&path, first).map_err(of_reading)?;
        index.push_segment(segment);
        let end = scan_file(&mut rows, may_lack_commits, standing.newest, |row| {
            note(found, row);
            index.push_row(row.place());
        });
        let end = end.map_err(of_reading)?;
        if end == rows.length {
            continue;
        }
        let is_torn = files.is_empty() && !rows.has_more().map_err(of_reading)?;
        if !may_lack_commits && !is_torn {
            let what = format!("row {} of the log cannot be read", index.next_position());
            return Err(StoreError::DamagedFile { path, what });
        }
        leftovers.torn = Some((path, end));
        leftovers.files.extend(files.drain(..).map(|(_, path)| path));
    }
    if !may_lack_commits && index.next_position() <= standing.newest {
        return Err(missing(index.next_position()));
    }
    Ok((index, leftovers))
}

/// Notes the rows of a file that are whole, up to the first that is not, and tells where they end.
///
/// Whole are rows with a table of contents, since damage to one body hurts one room. Where bodies may
/// not have come to the disk at all, it takes them too: in the last row, if nobody can have been told
/// that it is durable; and where commits were not flushed, in all.
fn scan_file(
    rows: &mut Rows,
    may_lack_commits: bool,
    known: i64,
    mut note: impl FnMut(&Row),
) -> io::Result<u64> {
    let mut before: Option<Row> = None;
    loop {
        let row = rows.next()?;
        if let Some(before) = before.take() {
            let is_sure = !may_lack_commits && (row.is_some() || before.head.position <= known);
            if !is_sure && !rows.has_bodies(&before)? {
                return Ok(before.at);
            }
            note(&before);
        }
        match row {
            Some(row) => before = Some(row),
            None => return Ok(rows.at),
        }
    }
}

/// Adds the entries of a row.
fn note(found: &mut HashMap<i64, Found>, row: &Row) {
    let mut offset: u32 = 0;
    for entry in &row.entries {
        let (number, vitals) = (entry.number, entry.vitals());
        let room = found.entry(number).or_default();
        room.spans.push_back(entry.span(row.head.position, offset));
        room.vitals = vitals;
        // That they fit was seen when the row was read.
        offset = offset.saturating_add(entry.length);
    }
}
