//! What a store holds, in memory: the model that the store on disk is tried against, too.

use crate::{
    ModuleHash, Quarantined, RoomSummary, StoreError, StoredRecords, StoredRoom, StoredSnapshot,
    UNUSED_MODULES_KEPT, Vitals, Write,
    order::{self, Standing},
    quarantine,
};
use std::{
    collections::{BTreeMap, HashSet, VecDeque},
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
                    Some(Room { stored, .. }) => {
                        stored.tail.retain(|records| records.end() > at);
                        stored.snapshot = snapshot;
                        if stored.tail.is_empty() {
                            stored.vitals = vitals;
                        }
                    }
                    None => {
                        let stored = StoredRoom { snapshot, tail: Vec::new(), vitals };
                        self.rooms.insert(room, Room { stored, quarantined: VecDeque::new() });
                    }
                }
            }
            Write::Quarantine { room, at, time, reason, event } => {
                if let Some(Room { quarantined, .. }) = self.rooms.get_mut(&room) {
                    let (reason, event) = quarantine::cut(&reason, &event);
                    let (reason, event) = (reason.into_owned(), event.to_vec());
                    quarantined.push_back(Quarantined { at, time, reason, event });
                    let sizes = quarantined.iter().rev().map(|it| it.event.len() + it.reason.len());
                    let spare = quarantined.len() - quarantine::keep(sizes);
                    quarantined.drain(..spare);
                }
            }
            Write::Delete { room } => {
                self.rooms.remove(&room);
            }
            Write::Module { hash, bytes } => {
                let known = self.modules.iter().position(|(known, _)| *known == hash);
                let module = known.map_or((hash, bytes), |place| self.modules.remove(place));
                self.modules.push(module);
                self.drop_unused_modules();
            }
        }
    }

    /// Drops the modules that no room uses, except the newest.
    fn drop_unused_modules(&mut self) {
        let used: HashSet<ModuleHash> =
            self.rooms.values().map(|room| room.stored.snapshot.module).collect();
        let mut old = self.modules.len().saturating_sub(UNUSED_MODULES_KEPT);
        self.modules.retain(|(hash, _)| {
            let is_old = old > 0;
            old = old.saturating_sub(1);
            !is_old || used.contains(hash)
        });
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

    pub(crate) fn load(&self, id: &str) -> Option<StoredRoom> {
        self.rooms.get(id).map(|room| room.stored.clone())
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
            damaged: false,
        }
    }
}
