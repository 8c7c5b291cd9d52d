//! Keeps the file small, step by step: drops rows of the log that nobody needs, carries what little is
//! needed out of old ones, drops old modules, gives space back to the disk.

use super::{
    checksum,
    index::{Index, Span},
    scan, table_of_contents,
};
use crate::UNUSED_MODULES_KEPT;
use rusqlite::{Connection, params};
use std::sync::Arc;

/// Rows of the log that a step drops at most, and about how many bytes of them.
const STEP_ROWS: usize = 200;
const STEP_BYTES: u64 = 1 << 20;

/// A log smaller than this is left alone, however little of it is needed.
const SMALL_LOG_BYTES: u64 = 1 << 20;

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
    /// The first rows of the log, that many, are gone.
    Dropped(usize),
    /// What these rooms need of a row is now in `carried`.
    Carried(i64, Vec<Arc<str>>),
}

impl Step {
    /// Notes it in the index, once it is committed.
    pub(crate) fn apply(self, index: &mut Index) {
        match self {
            Self::Nothing | Self::Other => {}
            Self::Dropped(rows) => index.drop_front(rows),
            Self::Carried(position, rooms) => {
                rooms.iter().for_each(|room| index.carry(room, position));
            }
        }
    }
}

/// Does the most useful step there is, inside a transaction.
pub(crate) fn step(connection: &Connection, index: &Index) -> rusqlite::Result<Step> {
    let (rows, position) = index.dead_front(STEP_ROWS, STEP_BYTES);
    if rows > 0 {
        let sql = "DELETE FROM log WHERE position < ?1";
        connection.prepare_cached(sql)?.execute([position])?;
        return Ok(Step::Dropped(rows));
    }
    let (all, live) = index.log_bytes();
    if all > SMALL_LOG_BYTES
        && live < all / 2
        && let Some((position, needed)) = index.front()
        && needed > 0
    {
        return carry(connection, index, position);
    }
    if drop_module(connection)? || give_space_back(connection)? {
        return Ok(Step::Other);
    }
    Ok(Step::Nothing)
}

/// Copies what is still needed of the row of `position` to the table `carried`.
fn carry(connection: &Connection, index: &Index, position: i64) -> rusqlite::Result<Step> {
    let sql = "SELECT contents FROM log WHERE position = ?1";
    let contents: Vec<u8> =
        connection.prepare_cached(sql)?.query_row([position], |row| row.get(0))?;
    let entries = match table_of_contents::decode(position, &contents) {
        Some(entries) => entries,
        None => scan::read_again(connection, position)?.ok_or(rusqlite::Error::InvalidQuery)?,
    };
    let bodies = connection.blob_open("main", "log", "bodies", position, true)?;
    let sql = "INSERT OR IGNORE INTO carried (number, follows, events, wake_at, clients, check_row, \
               check_records, records) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let mut insert = connection.prepare_cached(sql)?;
    let mut rooms = Vec::new();
    for entry in entries {
        let Some(room) = index.name(entry.number) else { continue };
        let Some(journal) = index.journal(room) else { continue };
        let is_it = |span: &&Span| span.position == position && span.follows == entry.follows;
        let Some(span) = journal.spans.iter().find(is_it) else { continue };
        // With its checksum of old: if the bytes are damaged, that is still found.
        let mut records = vec![0; span.length as usize];
        bodies.read_at_exact(&mut records, span.offset as usize)?;
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
        rooms.push(room.clone());
    }
    Ok(Step::Carried(position, rooms))
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
