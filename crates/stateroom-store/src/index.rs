//! What is kept in memory of the log: the last place of each room and module that the checkpoint may
//! lack, and where the room then stands. Entries lead to the ones before.

use crate::{
    ModuleHash,
    log::{
        compose::{Composed, Known},
        entry::{Change, Entry, Place},
    },
    table::Table,
};
use std::sync::Arc;

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Index {
    rooms: Table<Arc<str>, Known>,
    modules: Table<ModuleHash, Place>,
}

impl Index {
    pub(crate) fn room(&self, room: &str) -> Option<Known> {
        self.rooms.get(room).copied()
    }

    pub(crate) fn module(&self, hash: &ModuleHash) -> Option<Place> {
        self.modules.get(hash).copied()
    }

    pub(crate) fn rooms(&self) -> impl Iterator<Item = (&Arc<str>, Known)> {
        self.rooms.iter().map(|(room, known)| (room, *known))
    }

    /// Of how many rooms it tells.
    pub(crate) fn room_count(&self) -> usize {
        self.rooms.len()
    }

    /// Takes what a record says that was written.
    pub(crate) fn take(&mut self, record: &Composed<'_>) {
        for (room, known) in record.rooms.values() {
            match self.rooms.get_mut(&***room) {
                Some(entry) => *entry = *known,
                None if known.last == Place::default() => {}
                None => drop(self.rooms.insert((*room).clone(), *known)),
            }
        }
        self.modules.extend(record.modules.iter().copied());
    }

    /// Takes an entry that recovery has found.
    pub(crate) fn found(&mut self, entry: &Entry<'_>, place: Place) {
        if let Change::Module { hash } = entry.change {
            self.modules.insert(ModuleHash(hash), place);
            return;
        }
        let had = self.rooms.get_mut(entry.room);
        let module = entry.module().or(had.as_ref().and_then(|had| had.module));
        let after = entry.after();
        let known = Known { last: place, after, module: after.and(module) };
        match had {
            Some(had) => *had = known,
            None => drop(self.rooms.insert(entry.room.into(), known)),
        }
    }

    /// Forgets `room` if the checkpoint has all of it, which is so up to `applied`.
    pub(crate) fn forget(&mut self, room: &str, applied: u64) {
        if self.rooms.get(room).is_some_and(|known| known.last.position <= applied) {
            self.rooms.remove(room);
        }
    }

    /// Forgets the modules that the checkpoint has, and gives back memory that is needed no more.
    pub(crate) fn forget_modules(&mut self, applied: u64) {
        self.modules.retain(|_, place| place.position > applied);
        if self.rooms.capacity() > 4 * self.rooms.len() + 1024 {
            self.rooms.shrink_to(2 * self.rooms.len());
        }
    }
}
