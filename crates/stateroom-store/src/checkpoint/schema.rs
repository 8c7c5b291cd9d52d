//! The tables of the checkpoint, and how a file is known for one. FORMAT.md tells what they mean.

use crate::StoreError;
use rusqlite::Connection;
use std::path::Path;

/// Marks a file as ours: `SRst`, in the header of the file.
const APPLICATION_ID: i32 = i32::from_be_bytes(*b"SRst");

/// The version of the tables below. 1 and 2 were databases of their own, without this log.
const FORMAT: i32 = 3;

const TABLES: &str = "
CREATE TABLE checkpoint (
    log       BLOB NOT NULL,
    applied   INTEGER NOT NULL,
    check_log INTEGER NOT NULL,
    reaches   INTEGER NOT NULL,
    check_row INTEGER NOT NULL,
    opened    INTEGER NOT NULL
) STRICT;
CREATE TABLE rooms (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    room        TEXT NOT NULL UNIQUE,
    position    INTEGER NOT NULL,
    last        INTEGER NOT NULL,
    last_place  INTEGER NOT NULL,
    deleted     INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    events      INTEGER NOT NULL,
    module      BLOB NOT NULL,
    wake_at     INTEGER,
    clients     INTEGER NOT NULL,
    heard_at    INTEGER NOT NULL,
    check_row   INTEGER NOT NULL,
    check_state INTEGER NOT NULL,
    large       BLOB,
    state       BLOB
) STRICT;
CREATE INDEX rooms_needing_attention ON rooms (number)
    WHERE (wake_at IS NOT NULL OR clients > 0) AND deleted = 0;
CREATE INDEX rooms_forgettable ON rooms (heard_at)
    WHERE wake_at IS NULL AND clients = 0 AND deleted = 0;
CREATE INDEX rooms_deleted ON rooms (position) WHERE deleted = 1;
CREATE INDEX rooms_large ON rooms (large) WHERE large IS NOT NULL;
CREATE INDEX rooms_of_module ON rooms (module, room, deleted);
CREATE TABLE journal (
    number  INTEGER NOT NULL,
    follows INTEGER NOT NULL,
    events  INTEGER NOT NULL,
    check_records INTEGER NOT NULL,
    records BLOB NOT NULL,
    PRIMARY KEY (number, follows)
) STRICT;
CREATE TABLE quarantine (
    number    INTEGER NOT NULL,
    position  INTEGER NOT NULL,
    place     INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    time      INTEGER NOT NULL,
    reason    TEXT NOT NULL,
    event     BLOB NOT NULL,
    check_row INTEGER NOT NULL,
    PRIMARY KEY (number, position, place)
) STRICT;
CREATE TABLE modules (
    hash      BLOB PRIMARY KEY,
    position  INTEGER NOT NULL,
    place     INTEGER NOT NULL,
    check_row INTEGER NOT NULL,
    large     BLOB,
    bytes     BLOB
) STRICT;
";

/// Makes the tables, in the transaction that is open.
pub(crate) fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(&format!(
        "{TABLES} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT};"
    ))
}

/// Whether the database has our tables: `false` if it is empty, an error if it is something else.
pub(crate) fn check(connection: &Connection, path: &Path) -> Result<bool, StoreError> {
    let number = |sql: &str| {
        let number = connection.query_row(sql, (), |row| row.get::<_, i32>(0));
        number.map_err(|error| crate::failure::of_query(path, &error))
    };
    match number("PRAGMA application_id")? {
        0 if number("SELECT count(*) FROM sqlite_schema")? == 0 => Ok(false),
        found => known(path, found, number("PRAGMA user_version")?).map(|()| true),
    }
}

/// The same by the first bytes of the file, before SQLite is asked: whether something was kept in it.
pub(crate) fn recognize(path: &Path, beginning: &[u8]) -> Result<bool, StoreError> {
    if beginning.is_empty() {
        return Ok(false);
    }
    let number = |at: usize| {
        let bytes = beginning.get(at..).and_then(|bytes| bytes.first_chunk());
        bytes.map(|bytes| i32::from_be_bytes(*bytes))
    };
    let (Some(version), Some(id)) = (number(60), number(68)) else {
        return Err(StoreError::NotAStore { path: path.to_owned() });
    };
    if !beginning.starts_with(b"SQLite format 3\0") {
        return Err(StoreError::NotAStore { path: path.to_owned() });
    }
    match (id, version) {
        // What it is may be in its write-ahead log.
        (0, 0) => Ok(false),
        _ => known(path, id, version).map(|()| true),
    }
}

fn known(path: &Path, id: i32, version: i32) -> Result<(), StoreError> {
    let (path, found) = (path.to_owned(), version.cast_unsigned());
    match version {
        _ if id != APPLICATION_ID => Err(StoreError::NotAStore { path }),
        FORMAT => Ok(()),
        newer if newer > FORMAT => {
            Err(StoreError::NewerFormat { path, found, known: FORMAT.cast_unsigned() })
        }
        _ => Err(StoreError::OlderFormat { path, found }),
    }
}
