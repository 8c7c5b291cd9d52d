//! Checks the writes of a commit against where their rooms stand, before anything is written. Shared
//! by all stores, so that they refuse the same.

use crate::{
    MAX_WRITE_BYTES, StoreError, Write,
    table::{self, Table},
};
use std::sync::Arc;

/// Where a room stands: after how many events it is, and was at its last snapshot.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) snapshot_at: u64,
    pub(crate) events: u64,
}

/// Says whether all of `writes` can be carried out in order. `look_up` tells where a room stands
/// before the first of them; `None` if there is no such room, an error if it is damaged.
pub(crate) fn check(
    writes: &[Write],
    mut look_up: impl FnMut(&str) -> Result<Option<Standing>, StoreError>,
) -> Result<(), StoreError> {
    let mut rooms: Table<&str, Option<Standing>> = table::with_capacity(writes.len());
    for write in writes {
        check_size(write)?;
        let Some(room) = write.room() else { continue };
        if let Write::Delete { .. } = write {
            // Even a damaged room can be deleted, so it isn't looked up.
            rooms.insert(room, None);
            continue;
        }
        let standing = match rooms.get(&**room) {
            Some(standing) => *standing,
            None => look_up(room)?,
        };
        rooms.insert(room, after(write, room, standing)?);
    }
    Ok(())
}

/// Where `room` stands after `write`, if it stood at `standing` before.
fn after(
    write: &Write,
    room: &Arc<str>,
    standing: Option<Standing>,
) -> Result<Option<Standing>, StoreError> {
    let out_of_order = |found| StoreError::OutOfOrder {
        room: room.clone(),
        expected: standing.map(|standing| standing.events),
        found,
    };
    match (write, standing) {
        (Write::Append { events: 0, .. }, _) => Err(StoreError::EmptyAppend { room: room.clone() }),
        (Write::Append { follows, events, .. }, Some(Standing { snapshot_at, events: had }))
            if *follows == had =>
        {
            // The position has to fit into the 63 bits of a database's integer.
            let events = had
                .checked_add(u64::from(*events))
                .filter(|events| i64::try_from(*events).is_ok())
                .ok_or_else(|| out_of_order(*follows))?;
            Ok(Some(Standing { snapshot_at, events }))
        }
        (Write::Append { follows, .. }, _) => Err(out_of_order(*follows)),
        (Write::Snapshot { at, .. }, None) if i64::try_from(*at).is_ok() => {
            Ok(Some(Standing { snapshot_at: *at, events: *at }))
        }
        (Write::Snapshot { at, .. }, Some(Standing { snapshot_at, events }))
            if snapshot_at <= *at && i64::try_from(*at).is_ok() =>
        {
            Ok(Some(Standing { snapshot_at: *at, events: events.max(*at) }))
        }
        (Write::Snapshot { at, .. }, _) => Err(out_of_order(*at)),
        (Write::Quarantine { at, .. }, None) => Err(out_of_order(*at)),
        (Write::Quarantine { .. } | Write::Delete { .. } | Write::Module { .. }, standing) => {
            Ok(standing)
        }
    }
}

fn check_size(write: &Write) -> Result<(), StoreError> {
    let bytes = match write {
        Write::Append { records, .. } => records.len(),
        Write::Snapshot { state, .. } => state.len(),
        Write::Quarantine { event, reason, .. } => event.len().max(reason.len()),
        Write::Delete { .. } => 0,
        Write::Module { bytes, .. } => bytes.len(),
    };
    if bytes <= MAX_WRITE_BYTES {
        return Ok(());
    }
    let of = match write {
        Write::Module { hash, .. } => format!("the module {hash}"),
        _ => format!("the room {:?}", write.room().map_or("", |room| room)),
    };
    Err(StoreError::TooLarge { of, bytes })
}
