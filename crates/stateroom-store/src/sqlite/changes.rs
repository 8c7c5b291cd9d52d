//! The statements of a commit other than its appends: what each kind of write changes in the tables.

use super::{checksum, commit::Room, room_row};
use crate::{Durability, MAX_QUARANTINED, Vitals};
use rusqlite::{Connection, OptionalExtension, params};

/// Adds a room whose life begins with a snapshot at `at`.
pub(crate) fn insert(
    connection: &Connection,
    id: &str,
    at: u64,
    module: &[u8],
    state: &[u8],
    vitals: Vitals,
) -> rusqlite::Result<Room> {
    // The number is part of the checksums, so it has to be known before.
    let sql = "SELECT coalesce(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = 'rooms'";
    let number: i64 = connection.prepare_cached(sql)?.query_row((), |row| row.get(0))?;
    let check_row = checksum::room(number, id, at, at, module, vitals);
    let check_state = checksum::state(number, at, state);
    let sql = "INSERT INTO rooms (number, room, at, events, module, wake_at, clients, check_row, \
               check_state, state) VALUES (?1, ?2, ?3, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    connection.prepare_cached(sql)?.execute(params![
        number,
        id,
        at.cast_signed(),
        module,
        vitals.wake_at.map(u64::cast_signed),
        vitals.clients,
        check_row,
        check_state,
        state
    ])?;
    room_row::count_name(connection, number, id, true)?;
    Ok(Room { number, snapshot_at: at, events: at, vitals, has_carried: false })
}

/// Replaces the snapshot of a room, and drops what was carried of the journal before it.
#[allow(clippy::too_many_arguments, reason = "they are the columns of a row")]
pub(crate) fn update(
    connection: &Connection,
    durability: Durability,
    id: &str,
    room: Room,
    at: u64,
    module: &[u8],
    state: &[u8],
    vitals: Vitals,
) -> rusqlite::Result<Room> {
    let Room { number, has_carried, .. } = room;
    let (events, vitals) = room.after_snapshot(at, vitals);
    // What is not flushed may be lost with the power, and is not missing then.
    let sure = if durability == Durability::Synced { events } else { at };
    let check_row = checksum::room(number, id, at, sure, module, vitals);
    let check_state = checksum::state(number, at, state);
    let sql = "UPDATE rooms SET at = ?2, events = ?3, module = ?4, wake_at = ?5, clients = ?6, \
               check_row = ?7, check_state = ?8, state = ?9 WHERE number = ?1";
    connection.prepare_cached(sql)?.execute(params![
        number,
        at.cast_signed(),
        sure.cast_signed(),
        module,
        vitals.wake_at.map(u64::cast_signed),
        vitals.clients,
        check_row,
        check_state,
        state
    ])?;
    if has_carried {
        let sql = "DELETE FROM carried WHERE number = ?1 AND follows + events <= ?2";
        let mut statement = connection.prepare_cached(sql)?;
        statement.execute(params![number, at.cast_signed()])?;
    }
    Ok(Room { snapshot_at: at, events, vitals, ..room })
}

/// Sets an event aside, and drops the oldest of too many.
pub(crate) fn quarantine(
    connection: &Connection,
    number: i64,
    at: u64,
    time: u64,
    reason: &str,
    event: &[u8],
) -> rusqlite::Result<()> {
    let check = checksum::quarantine(number, at, time, reason, event);
    let sql = "INSERT INTO quarantine (number, at, time, reason, event, check_row) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let mut statement = connection.prepare_cached(sql)?;
    let (at, time) = (at.cast_signed(), time.cast_signed());
    statement.execute(params![number, at, time, reason, event, check])?;
    let sql = "DELETE FROM quarantine WHERE entry IN (SELECT entry FROM quarantine \
               WHERE number = ?1 ORDER BY entry DESC LIMIT -1 OFFSET ?2)";
    connection.prepare_cached(sql)?.execute(params![number, MAX_QUARANTINED as i64])?;
    Ok(())
}

/// Removes a room with all that was kept of it. What is in the log is nobody's from then on.
pub(crate) fn delete(connection: &Connection, number: i64, id: &str) -> rusqlite::Result<()> {
    room_row::count_name(connection, number, id, false)?;
    for sql in [
        "DELETE FROM rooms WHERE number = ?1",
        "DELETE FROM carried WHERE number = ?1",
        "DELETE FROM quarantine WHERE number = ?1",
    ] {
        connection.prepare_cached(sql)?.execute([number])?;
    }
    Ok(())
}

/// Keeps a module, or makes one that is kept already the newest.
pub(crate) fn module(connection: &Connection, hash: &[u8], bytes: &[u8]) -> rusqlite::Result<()> {
    let sql = "SELECT told = (SELECT max(told) FROM modules) FROM modules WHERE hash = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let is_newest: Option<bool> = statement.query_row([hash], |row| row.get(0)).optional()?;
    let sql = match is_newest {
        Some(true) => return Ok(()),
        Some(false) => {
            "UPDATE modules SET told = (SELECT max(told) + 1 FROM modules) WHERE hash = ?1"
        }
        None => {
            let sql = "INSERT INTO modules (hash, told, check_row, bytes) VALUES \
                       (?1, (SELECT coalesce(max(told), 0) + 1 FROM modules), ?2, ?3)";
            let check = checksum::module(hash, bytes);
            connection.prepare_cached(sql)?.execute(params![hash, check, bytes])?;
            return Ok(());
        }
    };
    connection.prepare_cached(sql)?.execute([hash])?;
    Ok(())
}
