//! What a store holds, in memory: the model that the two stores without a disk share.

use crate::{
    MAX_QUARANTINED, ModuleHash, Quarantined, RoomSummary, StoreError, StoredRecords, StoredRoom,
    StoredSnapshot, UNUSED_MODULES_KEPT, Vitals, Write,
    order::{self, Standing},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet, VecDeque},
    sync::Arc,
};

#[derive(Clone, Debug, Default)]
pub(crate) struct Contents {
    rooms: BTreeMap<Arc<str>, Room>,
    /// The newest last.
    modules: Vec<(ModuleHash, Vec<u8>)>,
}

#[derive(Clone, Debug)]
struct Room {
    stored: StoredRoom,
    quarantined: VecDeque<Quarantined>,
    /// Which parts of it have a wrong checksum.
    damaged: BTreeSet<Part>,
}

/// A part of what is kept of a room, as far as it can be damaged by itself.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Snapshot,
    /// What the append that followed so many events has written.
    Records(u64),
}

impl Contents {
    /// Says whether all of `writes` can be carried out.
    pub(crate) fn check(&self, writes: &[Write]) -> Result<(), StoreError> {
        order::check(writes, |id| {
            let stored = self.rooms.get(id).map(|room| &room.stored);
            let standing = |stored: &StoredRoom| Standing {
                snapshot_at: stored.snapshot.at,
                events: stored.events(),
            };
            Ok(stored.map(standing))
        })
    }

    /// Carries out what [`check`](Self::check) has found right.
    pub(crate) fn apply(&mut self, writes: &[Write]) {
        writes.iter().for_each(|write| self.apply_one(write.clone()));
    }

    fn apply_one(&mut self, write: Write) {
        match write {
            Write::Append { room, follows, events, records, vitals } => {
                if let Some(Room { stored, .. }) = self.rooms.get_mut(&room) {
                    stored.tail.push(StoredRecords { follows, events, records });
                    stored.vitals = vitals;
                }
            }
            Write::Snapshot { room, at, module, state, vitals } => {
                let snapshot = StoredSnapshot { at, module, state };
                match self.rooms.get_mut(&room) {
                    Some(Room { stored, damaged, .. }) => {
                        stored.tail.retain(|records| {
                            let kept = records.end() > at;
                            if !kept {
                                damaged.remove(&Part::Records(records.follows));
                            }
                            kept
                        });
                        damaged.remove(&Part::Snapshot);
                        stored.snapshot = snapshot;
                        if stored.tail.is_empty() {
                            stored.vitals = vitals;
                        }
                    }
                    None => {
                        let stored = StoredRoom { snapshot, tail: Vec::new(), vitals };
                        let (quarantined, damaged) = Default::default();
                        self.rooms.insert(room, Room { stored, quarantined, damaged });
                    }
                }
            }
            Write::Quarantine { room, at, time, reason, event } => {
                if let Some(Room { quarantined, .. }) = self.rooms.get_mut(&room) {
                    quarantined.push_back(Quarantined { at, time, reason, event });
                    if quarantined.len() > MAX_QUARANTINED {
                        quarantined.pop_front();
                    }
                }
            }
            Write::Delete { room } => {
                self.rooms.remove(&room);
            }
            Write::Module { hash, bytes } => {
                let known = self.modules.iter().position(|(known, _)| *known == hash);
                let module = known.map_or((hash, bytes), |place| self.modules.remove(place));
                self.modules.push(module);
            }
        }
    }

    /// Drops the modules that no room uses, except the newest.
    pub(crate) fn drop_unused_modules(&mut self) {
        let used: HashSet<ModuleHash> =
            self.rooms.values().map(|room| room.stored.snapshot.module).collect();
        let mut old = self.modules.len().saturating_sub(UNUSED_MODULES_KEPT);
        self.modules.retain(|(hash, _)| {
            let is_old = old > 0;
            old = old.saturating_sub(1);
            !is_old || used.contains(hash)
        });
    }

    /// The rooms there are, with the parts that they have.
    pub(crate) fn parts(&self) -> Vec<(Arc<str>, Part)> {
        let of_room = |(id, room): (&Arc<str>, &Room)| {
            let records = room.stored.tail.iter().map(|records| Part::Records(records.follows));
            let parts = std::iter::once(Part::Snapshot).chain(records);
            parts.map(|part| (id.clone(), part)).collect::<Vec<_>>()
        };
        self.rooms.iter().flat_map(of_room).collect()
    }

    /// Makes the checksum of a part wrong, if there is such a part.
    pub(crate) fn damage(&mut self, id: &str, part: Part) {
        let Some(room) = self.rooms.get_mut(id) else { return };
        let is_there = match part {
            Part::Snapshot => true,
            Part::Records(at) => room.stored.tail.iter().any(|records| records.follows == at),
        };
        if is_there {
            room.damaged.insert(part);
        }
    }

    /// Rooms that nobody has heard of since, and that need no attention.
    pub(crate) fn forgettable(&self, before: u64, most: usize) -> Vec<Arc<str>> {
        let is_forgettable = |room: &Room| {
            let vitals = &room.stored.vitals;
            !vitals.need_attention() && vitals.heard_at < before
        };
        let rooms = self.rooms.iter().filter(|(_, room)| is_forgettable(room));
        rooms.take(most).map(|(id, _)| id.clone()).collect()
    }

    pub(crate) fn load(&self, id: &str) -> Result<Option<StoredRoom>, StoreError> {
        let Some((id, room)) = self.rooms.get_key_value(id) else { return Ok(None) };
        room.intact(id)?;
        Ok(Some(room.stored.clone()))
    }

    pub(crate) fn list(&self) -> Vec<RoomSummary> {
        self.rooms.iter().map(|(id, room)| room.summary(id)).collect()
    }

    pub(crate) fn summary(&self, id: &str) -> Option<RoomSummary> {
        self.rooms.get_key_value(id).map(|(id, room)| room.summary(id))
    }

    pub(crate) fn needing_attention(&self) -> Vec<(Arc<str>, Vitals)> {
        let vitals = self.rooms.iter().map(|(id, room)| (id.clone(), room.stored.vitals));
        vitals.filter(|(_, vitals)| vitals.need_attention()).collect()
    }

    pub(crate) fn quarantined(&self, id: &str) -> Vec<Quarantined> {
        self.rooms.get(id).map_or_else(Vec::new, |room| room.quarantined.iter().cloned().collect())
    }

    pub(crate) fn module(&self, hash: &ModuleHash) -> Option<Vec<u8>> {
        let found = self.modules.iter().find(|(known, _)| known == hash);
        found.map(|(_, bytes)| bytes.clone())
    }
}

impl Room {
    fn intact(&self, id: &Arc<str>) -> Result<(), StoreError> {
        let what = match self.damaged.first() {
            None => return Ok(()),
            Some(Part::Snapshot) => "the checksum of its snapshot is wrong".to_owned(),
            Some(Part::Records(follows)) => {
                format!("the checksum of the events after the first {follows} is wrong")
            }
        };
        Err(StoreError::Damaged { room: id.clone(), what })
    }

    fn summary(&self, id: &Arc<str>) -> RoomSummary {
        let StoredRoom { snapshot, tail, vitals } = &self.stored;
        RoomSummary {
            room: id.clone(),
            module: snapshot.module,
            vitals: *vitals,
            events: self.stored.events(),
            journal_bytes: tail.iter().map(|records| records.records.len() as u64).sum(),
            snapshot_bytes: snapshot.state.len() as u64,
            quarantined: u32::try_from(self.quarantined.len()).unwrap_or(u32::MAX),
            // Not without looking at state and journal.
            damaged: false,
        }
    }
}
