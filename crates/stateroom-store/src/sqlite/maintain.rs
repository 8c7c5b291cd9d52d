//! Keeps the files small, step by step: removes files of the log that nobody needs, carries what little
//! is needed out of old ones, drops old modules, gives space back to the disk.

use super::{
    checksum,
    index::{Index, Span},
    segment,
    standing::Standing,
};
use crate::UNUSED_MODULES_KEPT;
use rusqlite::{Connection, params};
use std::{io, sync::Arc};

/// About how many bytes of the log a step carries at most, and how many rows of it.
const STEP_BYTES: u64 = 1 << 20;
const STEP_ROWS: i64 = 1000;

/// A log smaller than this is left alone, however little of it is needed.
pub(crate) const SMALL_LOG_BYTES: u64 = 1 << 20;

/// So many pages of 4 KiB that are free are kept for what comes next, or an eighth of all pages.
const FREE_PAGES_KEPT: i64 = 1024;

/// Pages that a step gives back.
const STEP_PAGES: i64 = 128;

/// What a step has done. Its transaction is still open.
pub(crate) enum Step {
    /// Nothing: there was nothing to do.
    Nothing,
    /// Something that the index need not know.
    Other,
    /// What these rooms need of these rows is now in `carried`.
    Carried(Vec<(i64, Arc<str>)>),
}

/// A step could not be done.
pub(crate) enum Failure {
    Sqlite(rusqlite::Error),
    /// A file of the log could not be read.
    Log(io::Error),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl Step {
    /// Notes it in the index, once it is committed.
    pub(crate) fn apply(self, index: &mut Index) {
        if let Self::Carried(rooms) = self {
            rooms.iter().for_each(|(position, room)| index.carry(room, *position));
        }
    }
}

/// Notes that the rows before `first` are no longer needed: their files can be removed then.
pub(crate) fn forget_before(connection: &Connection, first: i64) -> rusqlite::Result<()> {
    if let Some(mut standing) = Standing::read(connection)? {
        standing.first = first;
        standing.newest = standing.newest.max(first - 1);
        standing.write(connection)?;
    }
    Ok(())
}

/// Does the most useful step there is, inside a transaction.
pub(crate) fn step(connection: &Connection, index: &Index) -> Result<Step, Failure> {
    let (all, live) = index.log_bytes();
    if all > SMALL_LOG_BYTES
        && live < all / 2
        && let Some(oldest) = index.oldest()
    {
        let carried = carry(connection, index, oldest)?;
        if !carried.is_empty() {
            return Ok(Step::Carried(carried));
        }
    }
    if drop_module(connection)? || give_space_back(connection)? {
        return Ok(Step::Other);
    }
    Ok(Step::Nothing)
}

/// Copies what is still needed of the rows from `oldest` on to the table `carried`.
fn carry(
    connection: &Connection,
    index: &Index,
    oldest: i64,
) -> Result<Vec<(i64, Arc<str>)>, Failure> {
    let sql = "INSERT OR IGNORE INTO carried (number, follows, events, wake_at, clients, check_row, \
               check_records, records) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let mut insert = connection.prepare_cached(sql)?;
    let (mut rooms, mut bytes) = (Vec::new(), 0);
    for position in oldest..oldest.saturating_add(STEP_ROWS) {
        let Some((segment, place)) = index.row_place(position).filter(|_| bytes < STEP_BYTES)
        else {
            break;
        };
        let damaged =
            || Failure::Log(io::Error::other("both tables of contents of a row are wrong"));
        let entries = segment::entries(&segment.file, position, place).map_err(Failure::Log)?;
        let mut offset = place.bodies_at;
        for entry in entries.ok_or_else(damaged)? {
            let at = offset;
            offset += u64::from(entry.length);
            let Some(room) = index.name(entry.number) else { continue };
            let Some(journal) = index.journal(room) else { continue };
            let is_it = |span: &&Span| span.position == position && span.follows == entry.follows;
            let Some(span) = journal.spans.iter().find(is_it) else { continue };
            // With its checksum of old: if the bytes are damaged, that is still found.
            let mut records = vec![0; span.length as usize];
            segment::read_at(&segment.file, &mut records, at).map_err(Failure::Log)?;
            let vitals = entry.vitals();
            let (number, follows, events) = (entry.number, span.follows, span.events);
            let length = u64::from(span.length);
            let check = checksum::carried(number, follows, events, vitals, span.check, length);
            insert.execute(params![
                number,
                follows.cast_signed(),
                events,
                vitals.wake_at.map(u64::cast_signed),
                vitals.clients,
                check,
                span.check,
                records
            ])?;
            bytes += length;
            rooms.push((position, room.clone()));
        }
    }
    Ok(rooms)
}

/// Drops one module that no room uses and that is not among the newest.
fn drop_module(connection: &Connection) -> rusqlite::Result<bool> {
    let sql = "DELETE FROM modules WHERE hash = (SELECT hash FROM modules WHERE told <= \
               (SELECT told FROM modules ORDER BY told DESC LIMIT 1 OFFSET ?1) AND NOT EXISTS \
               (SELECT 1 FROM rooms INDEXED BY rooms_of_module WHERE rooms.module = modules.hash) \
               LIMIT 1)";
    let dropped = connection.prepare_cached(sql)?.execute([UNUSED_MODULES_KEPT as i64])?;
    Ok(dropped > 0)
}

/// Shortens the file by some of the pages that hold nothing.
fn give_space_back(connection: &Connection) -> rusqlite::Result<bool> {
    let number = |sql| connection.prepare_cached(sql)?.query_row((), |row| row.get::<_, i64>(0));
    let (pages, free) = (number("PRAGMA page_count")?, number("PRAGMA freelist_count")?);
    if free <= FREE_PAGES_KEPT.max(pages / 8) {
        return Ok(false);
    }
    let sql = format!("PRAGMA incremental_vacuum({STEP_PAGES})");
    // It gives a row, or rather none, for each page: all have to be asked for.
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(())?;
    while rows.next()?.is_some() {}
    Ok(true)
}
