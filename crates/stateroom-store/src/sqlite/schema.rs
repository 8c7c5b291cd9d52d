//! The tables of the file, and how a fresh file gets them. FORMAT.md tells what they mean.

use super::checksum;
use rusqlite::Connection;

/// Marks a file as ours: `SRst`, in the header of the file.
pub(crate) const APPLICATION_ID: i32 = i32::from_be_bytes(*b"SRst");

/// The version of the tables below. A file of a greater one is refused.
pub(crate) const FORMAT: i32 = 2;

const TABLES: &str = "
CREATE TABLE rooms (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    room        TEXT NOT NULL UNIQUE,
    at          INTEGER NOT NULL,
    events      INTEGER NOT NULL,
    module      BLOB NOT NULL,
    wake_at     INTEGER,
    clients     INTEGER NOT NULL,
    check_row   INTEGER NOT NULL,
    check_state INTEGER NOT NULL,
    state       BLOB NOT NULL
) STRICT;
CREATE INDEX rooms_needing_attention ON rooms (number) WHERE wake_at IS NOT NULL OR clients > 0;
CREATE INDEX rooms_of_module ON rooms (module);
CREATE TABLE log (
    first     INTEGER NOT NULL,
    newest    INTEGER NOT NULL,
    boot      TEXT NOT NULL,
    check_row INTEGER NOT NULL,
    names     INTEGER NOT NULL
) STRICT;
CREATE TABLE carried (
    number        INTEGER NOT NULL,
    follows       INTEGER NOT NULL,
    events        INTEGER NOT NULL,
    wake_at       INTEGER,
    clients       INTEGER NOT NULL,
    check_row     INTEGER NOT NULL,
    check_records INTEGER NOT NULL,
    records       BLOB NOT NULL,
    PRIMARY KEY (number, follows)
) STRICT;
CREATE TABLE quarantine (
    entry     INTEGER PRIMARY KEY AUTOINCREMENT,
    number    INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    time      INTEGER NOT NULL,
    reason    TEXT NOT NULL,
    event     BLOB NOT NULL,
    check_row INTEGER NOT NULL
) STRICT;
CREATE INDEX quarantine_of_room ON quarantine (number);
CREATE TABLE modules (
    hash      BLOB PRIMARY KEY,
    told      INTEGER NOT NULL,
    check_row INTEGER NOT NULL,
    bytes     BLOB NOT NULL
) STRICT;
";

/// Makes a store of an empty file, in one transaction.
pub(crate) fn create(connection: &Connection) -> rusqlite::Result<()> {
    let check = checksum::standing(1, 0, "");
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE; {TABLES} INSERT INTO log VALUES (1, 0, '', {check}, 0); \
         PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT}; COMMIT;"
    ))
}
