//! Applies what the log says of some rooms to the checkpoint, in one transaction. What a row already has
//! is skipped by its position alone, so that it can be done again after a crash.

use super::{
    journal::{self, Packed},
    large_column, module, quarantine as quarantined_rows,
    row::RoomRow,
};
use crate::{
    ModuleHash, Quarantined, UNUSED_MODULES_KEPT, Vitals,
    faults::{Deliberate, is_on},
    log::{
        entry::{After, Body, Change, Coded, Large, Place},
        layout::crc,
    },
    quarantine,
};
use rusqlite::{Connection, params};

/// An entry of the log, with that of its body that is in the record.
pub(crate) struct Applied<'a> {
    pub(crate) place: Place,
    pub(crate) coded: Coded<'a>,
    pub(crate) body: &'a [u8],
}

impl Applied<'_> {
    /// A checksum of the body, which is wrong if the body is not what was written.
    fn check(&self) -> u32 {
        let check = crc(0, self.body);
        if self.coded.is_intact(self.body) { check } else { !check }
    }

    fn large(&self) -> Option<Large> {
        match self.coded.entry.body {
            Body::Large(large) => Some(large),
            Body::Here { .. } => None,
        }
    }
}

/// Applies the `changes` of `room`, in order, up to position `target`. Notes large files that no row names
/// any more in `spare`.
pub(crate) fn apply_room(
    connection: &Connection,
    room: &str,
    changes: &[Applied<'_>],
    target: u64,
    spare: &mut Vec<Large>,
) -> rusqlite::Result<()> {
    let mut row = RoomRow::read(connection, room)?;
    let known = row.as_ref().map_or(0, |row| row.position);
    let known = if is_on(Deliberate::RowsWithoutPositions) { 0 } else { known };
    let skipped = changes.partition_point(|change| change.place.position <= known);
    let mut changes = changes.get(skipped..).unwrap_or_default();
    let is_delete = |change: &Applied<'_>| matches!(change.coded.entry.change, Change::Delete);
    if let Some(last) = changes.iter().rposition(is_delete) {
        let (before, after) = changes.split_at(last + 1);
        spare.extend(before.iter().filter_map(Applied::large));
        changes = after;
        row = delete(connection, row, target, changes.is_empty(), spare)?;
    }
    let Some(last) = changes.last() else { return Ok(()) };
    if let Some(marked) = row.take_if(|row| row.deleted) {
        let sql = "DELETE FROM rooms WHERE number = ?1";
        connection.prepare_cached(sql)?.execute([marked.number])?;
    }
    let after = last.coded.entry.after().unwrap_or(After {
        snapshot_at: 0,
        events: 0,
        vitals: Vitals::default(),
    });
    let number = write_row(connection, room, row, changes, after, target, spare)?;
    write_journal(connection, number, changes, after)?;
    write_quarantine(connection, number, changes)
}

/// Clears away what is kept of a deleted room. Its row is marked if it stays deleted, until the checkpoint
/// has all up to then; else it is removed.
fn delete(
    connection: &Connection,
    row: Option<RoomRow>,
    target: u64,
    stays: bool,
    spare: &mut Vec<Large>,
) -> rusqlite::Result<Option<RoomRow>> {
    let Some(mut row) = row else { return Ok(None) };
    for table in ["journal", "quarantine"] {
        let sql = format!("DELETE FROM {table} WHERE number = ?1");
        connection.prepare_cached(&sql)?.execute([row.number])?;
    }
    spare.extend(row.large.take());
    if !stays {
        connection.prepare_cached("DELETE FROM rooms WHERE number = ?1")?.execute([row.number])?;
        return Ok(None);
    }
    (row.deleted, row.position, row.vitals) = (true, target, Vitals::default());
    row.update(connection, Some(None))?;
    Ok(Some(row))
}

/// Removes rows that are marked as deleted, up to a position that the checkpoint has.
pub(crate) fn purge(connection: &Connection, applied: u64) -> rusqlite::Result<()> {
    let sql = "DELETE FROM rooms WHERE deleted = 1 AND position <= ?1";
    connection.prepare_cached(sql)?.execute([applied.cast_signed()]).map(|_| ())
}

fn write_row(
    connection: &Connection,
    room: &str,
    row: Option<RoomRow>,
    changes: &[Applied<'_>],
    after: After,
    target: u64,
    spare: &mut Vec<Large>,
) -> rusqlite::Result<i64> {
    let snapshots =
        changes.iter().filter(|it| matches!(it.coded.entry.change, Change::Snapshot { .. }));
    let mut snapshots: Vec<&Applied<'_>> = snapshots.collect();
    let newest = snapshots.pop();
    spare.extend(snapshots.iter().filter_map(|it| it.large()));
    let is_new = row.is_none();
    let mut row = row.unwrap_or_else(|| RoomRow {
        number: 0,
        room: room.into(),
        position: 0,
        last: Place::default(),
        deleted: false,
        at: after.snapshot_at,
        events: 0,
        module: ModuleHash([0; 32]),
        vitals: Vitals::default(),
        large: None,
        check_state: 0,
        is_intact: false,
    });
    // What is damaged stays so, and is told when it is read; a newer state heals it.
    let heals = newest.is_some() || is_new;
    if !row.is_intact && !heals {
        return Ok(row.number);
    }
    (row.position, row.events, row.vitals) = (target, after.events, after.vitals);
    row.last = changes.last().map_or(row.last, |change| change.place);
    let mut state = None;
    if let Some(newest) = newest {
        row.at = after.snapshot_at;
        row.module = newest.coded.entry.module().unwrap_or(row.module);
        spare.extend(row.large.take());
        row.large = newest.large();
        row.check_state = newest.check();
        state = Some(row.large.is_none().then_some(newest.body));
    }
    match is_new {
        true => row.insert(connection, state.flatten())?,
        false => row.update(connection, state)?,
    }
    Ok(row.number)
}

fn write_journal(
    connection: &Connection,
    number: i64,
    changes: &[Applied<'_>],
    after: After,
) -> rusqlite::Result<()> {
    let has_snapshot =
        changes.iter().any(|it| matches!(it.coded.entry.change, Change::Snapshot { .. }));
    if has_snapshot {
        let forget = is_on(Deliberate::LaggardForgotten);
        let at = if forget { i64::MAX } else { after.snapshot_at.cast_signed() };
        let sql = "DELETE FROM journal WHERE number = ?1 AND follows + events <= ?2";
        connection.prepare_cached(sql)?.execute(params![number, at])?;
    }
    // All of one room in one row: that is what a checkpoint has most of.
    let mut packed = Packed::default();
    let mut is_intact = true;
    for change in changes {
        let Change::Append { follows, events } = change.coded.entry.change else { continue };
        if follows.saturating_add(u64::from(events)) <= after.snapshot_at {
            continue;
        }
        is_intact &= change.coded.is_intact(change.body);
        packed.add(follows, events, change.body);
    }
    let Some((follows, events, records)) = packed.finish() else { return Ok(()) };
    let check = journal::check(number, follows, events, &records);
    let check = if is_intact { check } else { !check };
    let sql = "INSERT OR REPLACE INTO journal VALUES (?1, ?2, ?3, ?4, ?5)";
    let values = params![number, follows.cast_signed(), events.cast_signed(), check, records];
    connection.prepare_cached(sql)?.execute(values).map(|_| ())
}

fn write_quarantine(
    connection: &Connection,
    number: i64,
    changes: &[Applied<'_>],
) -> rusqlite::Result<()> {
    let mut is_changed = false;
    let sql = "INSERT OR REPLACE INTO quarantine VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    for change in changes {
        let Change::Quarantine { at, time, reason } = change.coded.entry.change else { continue };
        let event = change.body.to_vec();
        let quarantined = Quarantined { at, time, reason: reason.to_owned(), event };
        let check = quarantined_rows::check(number, &quarantined);
        let check = if change.coded.is_intact(change.body) { check } else { !check };
        connection.prepare_cached(sql)?.execute(params![
            number,
            change.place.position.cast_signed(),
            change.place.at,
            at.cast_signed(),
            time.cast_signed(),
            reason,
            change.body,
            check
        ])?;
        is_changed = true;
    }
    if !is_changed {
        return Ok(());
    }
    let sql = "SELECT position, place, length(event) + length(CAST(reason AS BLOB)) FROM quarantine \
               WHERE number = ?1 ORDER BY position DESC, place DESC";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([number], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
    })?;
    let rows: Vec<(i64, i64, i64)> = rows.collect::<rusqlite::Result<_>>()?;
    let sizes = rows.iter().map(|(.., bytes)| usize::try_from(*bytes).unwrap_or(usize::MAX / 2));
    let keep = quarantine::keep(sizes);
    let sql = "DELETE FROM quarantine WHERE number = ?1 AND position = ?2 AND place = ?3";
    for (position, place, _) in rows.get(keep..).unwrap_or_default() {
        connection.prepare_cached(sql)?.execute([number, *position, *place])?;
    }
    Ok(())
}

/// Keeps a module, or makes one that is known the newest.
pub(crate) fn apply_module(
    connection: &Connection,
    change: &Applied<'_>,
    spare: &mut Vec<Large>,
) -> rusqlite::Result<()> {
    let Change::Module { hash } = change.coded.entry.change else { return Ok(()) };
    let hash = ModuleHash(hash);
    let (position, at) = (change.place.position.cast_signed(), i64::from(change.place.at));
    let sql = "SELECT 1 FROM modules WHERE hash = ?1 AND (position, place) >= (?2, ?3)";
    if connection.prepare_cached(sql)?.exists(params![hash.0, position, at])? {
        return Ok(());
    }
    let known = module::read(connection, &hash)?.and_then(|row| row.large);
    let large = change.large();
    spare.extend(known.filter(|known| Some(*known) != large));
    let bytes = large.is_none().then_some(change.body);
    let check = module::check(&hash, large, bytes);
    let check = if change.coded.is_intact(change.body) { check } else { !check };
    let sql = "INSERT OR REPLACE INTO modules VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let large = large.map(large_column::encode);
    let values = params![hash.0, position, at, check, large, bytes];
    connection.prepare_cached(sql)?.execute(values).map(|_| ())
}

/// Drops the modules that no room uses, except the newest.
pub(crate) fn drop_unused_modules(
    connection: &Connection,
    spare: &mut Vec<Large>,
) -> rusqlite::Result<()> {
    let sql =
        "SELECT hash, large FROM modules ORDER BY position DESC, place DESC LIMIT -1 OFFSET ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let newest = i64::try_from(UNUSED_MODULES_KEPT).unwrap_or(i64::MAX);
    let rows = statement.query_map([newest], |row| {
        Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Option<Vec<u8>>>(1)?))
    })?;
    let old: Vec<(Vec<u8>, Option<Vec<u8>>)> = rows.collect::<rusqlite::Result<_>>()?;
    for (hash, large) in old {
        let sql = "SELECT 1 FROM rooms WHERE module = ?1 AND deleted = 0";
        if connection.prepare_cached(sql)?.exists([&hash])? {
            continue;
        }
        connection.prepare_cached("DELETE FROM modules WHERE hash = ?1")?.execute([&hash])?;
        spare.extend(large.as_deref().and_then(large_column::decode));
    }
    Ok(())
}
