//! What is read of one room.

use super::{
    Owned, ReadError, Result, View, damaged,
    gather::{Gathered, State},
};
use crate::{
    ModuleHash, Quarantined, RoomSummary, StoreError, StoredRecords, StoredRoom, StoredSnapshot,
    Vitals, checkpoint,
    log::{compose::Known, entry::Place, large},
    quarantine,
};
use std::collections::BTreeMap;

impl View<'_> {
    /// All of `room`, of which `known` is what the log has.
    pub(crate) fn load(&self, room: &str, known: Option<Known>) -> Result<Option<StoredRoom>> {
        let Some(gathered) = self.gather(room, known)? else { return Ok(None) };
        let Gathered { at, module, state, tail, vitals, .. } = gathered;
        let state = match state {
            State::Here(state) => state,
            State::Large(it) => match large::read(self.files, self.folder, it)? {
                Some(state) => state,
                None => return damaged(room, "the file of its snapshot is missing or damaged"),
            },
        };
        Ok(Some(StoredRoom { snapshot: StoredSnapshot { at, module, state }, tail, vitals }))
    }

    /// What can be told of `room`.
    pub(crate) fn summary(&self, room: &str, known: Option<Known>) -> Result<Option<RoomSummary>> {
        let gathered = match self.gather(room, known) {
            Ok(Some(gathered)) => gathered,
            Ok(None) => return Ok(None),
            Err(ReadError::Store(StoreError::Damaged { .. })) => {
                return Ok(Some(damaged_summary(room, known)));
            }
            Err(error) => return Err(error),
        };
        let quarantined = match self.quarantined(room, known) {
            Ok(quarantined) => quarantined.len(),
            Err(ReadError::Store(_)) => 0,
            Err(error) => return Err(error),
        };
        let events = gathered.tail.last().map_or(gathered.at, StoredRecords::end);
        Ok(Some(RoomSummary {
            room: room.into(),
            module: gathered.module,
            vitals: gathered.vitals,
            events,
            journal_bytes: gathered.tail.iter().map(|it| it.records.len() as u64).sum(),
            snapshot_bytes: gathered.state_bytes,
            quarantined: u32::try_from(quarantined).unwrap_or(u32::MAX),
            damaged: false,
        }))
    }

    /// The events of `room` that were set aside, the oldest first.
    pub(crate) fn quarantined(&self, room: &str, known: Option<Known>) -> Result<Vec<Quarantined>> {
        let mut found: BTreeMap<Place, Quarantined> = BTreeMap::new();
        if known.is_some_and(|known| known.after.is_none()) {
            return Ok(Vec::new());
        }
        let mut place = known.map_or(Place::default(), |known| known.last);
        let mut reaches_back = true;
        while let Some(read) = self.entry(room, place)? {
            match read.change {
                Owned::Quarantine { at, time, reason } => {
                    if !read.is_intact {
                        return damaged(
                            room,
                            "the checksum of an event that was set aside is wrong",
                        );
                    }
                    found.insert(place, Quarantined { at, time, reason, event: read.body });
                }
                Owned::Delete | Owned::Snapshot { born: true, .. } => {
                    reaches_back = false;
                    break;
                }
                _ => {}
            }
            place = read.back;
        }
        if let Some(connection) = self.connection.filter(|_| reaches_back)
            && let Some(row) = self.row(room)?
        {
            for (place, event, is_intact) in checkpoint::quarantine::read(connection, row.number)? {
                if !is_intact {
                    return damaged(room, "the checksum of an event that was set aside is wrong");
                }
                found.insert(place, event);
            }
        }
        let sizes = found.values().rev().map(|it| it.event.len() + it.reason.len());
        let spare = found.len() - quarantine::keep(sizes);
        Ok(found.into_values().skip(spare).collect())
    }
}

fn damaged_summary(room: &str, known: Option<Known>) -> RoomSummary {
    let after = known.and_then(|known| known.after);
    RoomSummary {
        room: room.into(),
        module: ModuleHash([0; 32]),
        vitals: after.map_or(Vitals::default(), |after| after.vitals),
        events: after.map_or(0, |after| after.events),
        journal_bytes: 0,
        snapshot_bytes: 0,
        quarantined: 0,
        damaged: true,
    }
}
