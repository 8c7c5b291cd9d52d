//! Makes a record of the changes of a commit.

use super::{
    entry::{After, Body, Change, Entry, Large, Place},
    layout::{self, HEAD_BYTES, Head},
};
use crate::{
    ModuleHash, StoreError, Write,
    order::{self, Standing},
    quarantine,
    table::Table,
};
use std::sync::Arc;

/// What is known of a room before and after a commit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    /// The last entry of it that the log has and the checkpoint may lack.
    pub(crate) last: Place,
    /// `None` if there is no such room.
    pub(crate) after: Option<After>,
    /// Of which module its state is; `None` if that is said in its row.
    pub(crate) module: Option<ModuleHash>,
}

/// A record without its head, which is made when it is known where it goes.
#[derive(Debug)]
pub(crate) struct Composed<'a> {
    pub(crate) position: u64,
    pub(crate) rooms: Table<&'a str, (&'a Arc<str>, Known)>,
    pub(crate) modules: Vec<(ModuleHash, Place)>,
    pub(crate) table: Vec<u8>,
    pub(crate) bodies: Vec<&'a [u8]>,
    bodies_bytes: u32,
    check_bodies: u32,
    entries: u32,
    /// How many bytes are in files of their own.
    pub(crate) large: u64,
}

impl<'a> Composed<'a> {
    /// Checks `writes`, and makes the record of `position` of them. `look_up` tells of a room; with
    /// `false`, only where its last entry is. `set_aside` writes what is large to a file of its own.
    pub(crate) fn new(
        writes: &'a [Write],
        position: u64,
        mut look_up: impl FnMut(&str, bool) -> Result<Known, StoreError>,
        set_aside: impl FnMut(&[u8]) -> Result<Option<Large>, StoreError>,
    ) -> Result<Self, StoreError> {
        let mut rooms: Table<&'a str, (&'a Arc<str>, Known)> =
            crate::table::with_capacity(writes.len());
        for write in writes {
            let Some(room) = write.room() else { continue };
            if !rooms.contains_key(&**room) {
                // Even a damaged room can be deleted.
                let whole = !matches!(write, Write::Delete { .. });
                rooms.insert(room, (room, look_up(room, whole)?));
            }
        }
        order::check(writes, |room| {
            let known = rooms.get(room).and_then(|(_, known)| known.after);
            let standing =
                |after: After| Standing { snapshot_at: after.snapshot_at, events: after.events };
            Ok(known.map(standing))
        })?;
        let mut composed = Composed {
            position,
            rooms,
            modules: Vec::new(),
            table: Vec::new(),
            bodies: Vec::with_capacity(writes.len()),
            bodies_bytes: 0,
            check_bodies: 0,
            entries: 0,
            large: 0,
        };
        composed.add_all(writes, set_aside)?;
        Ok(composed)
    }

    fn add_all(
        &mut self,
        writes: &'a [Write],
        mut set_aside: impl FnMut(&[u8]) -> Result<Option<Large>, StoreError>,
    ) -> Result<(), StoreError> {
        for write in writes {
            match write {
                Write::Append { room, follows, events, records, vitals } => {
                    let change = Change::Append { follows: *follows, events: *events };
                    let had = self.after(room);
                    let after = After {
                        snapshot_at: had.map_or(0, |had| had.snapshot_at),
                        events: follows.saturating_add(u64::from(*events)),
                        vitals: *vitals,
                    };
                    let body = self.here(records)?;
                    self.add(Some(room), change, body, records, Some(after))?;
                }
                Write::Snapshot { room, at, module, state, vitals } => {
                    let had = self.after(room);
                    let change =
                        Change::Snapshot { at: *at, module: module.0, born: had.is_none() };
                    let after = match had {
                        // A snapshot that took its time tells what was.
                        Some(had) if had.events > *at => After { snapshot_at: *at, ..had },
                        _ => After { snapshot_at: *at, events: *at, vitals: *vitals },
                    };
                    let (body, here) = self.body(state, &mut set_aside)?;
                    self.add(Some(room), change, body, here, Some(after))?;
                }
                Write::Quarantine { room, at, time, reason, event } => {
                    let (reason, event) = quarantine::cut(reason, event);
                    let change = Change::Quarantine { at: *at, time: *time, reason: &reason };
                    let body = self.here(event)?;
                    let after = self.after(room);
                    self.add(Some(room), change, body, event, after)?;
                }
                Write::Delete { room } => {
                    let body = self.here(&[])?;
                    self.add(Some(room), Change::Delete, body, &[], None)?;
                }
                Write::Module { hash, bytes } => {
                    let place = Place { position: self.position, at: self.table_bytes()? };
                    let (body, here) = self.body(bytes, &mut set_aside)?;
                    self.add(None, Change::Module { hash: hash.0 }, body, here, None)?;
                    self.modules.push((*hash, place));
                }
            }
        }
        Ok(())
    }

    fn after(&self, room: &Arc<str>) -> Option<After> {
        self.rooms.get(&**room).and_then(|(_, known)| known.after)
    }

    fn body(
        &mut self,
        bytes: &'a [u8],
        set_aside: &mut impl FnMut(&[u8]) -> Result<Option<Large>, StoreError>,
    ) -> Result<(Body, &'a [u8]), StoreError> {
        match set_aside(bytes)? {
            Some(large) => {
                self.large += large.length;
                Ok((Body::Large(large), &[]))
            }
            None => Ok((self.here(bytes)?, bytes)),
        }
    }

    fn here(&mut self, bytes: &'a [u8]) -> Result<Body, StoreError> {
        let at = self.bodies_bytes;
        let length = u32::try_from(bytes.len()).map_err(|_| too_large(bytes.len()))?;
        let end = at.checked_add(length).filter(|end| *end < u32::MAX / 2);
        self.bodies_bytes = end.ok_or_else(|| too_large(at as usize + bytes.len()))?;
        self.check_bodies = layout::crc(self.check_bodies, bytes);
        self.bodies.push(bytes);
        Ok(Body::Here { at, length })
    }

    fn table_bytes(&self) -> Result<u32, StoreError> {
        let bytes = self.table.len();
        u32::try_from(bytes).ok().filter(|at| *at < u32::MAX / 4).ok_or_else(|| too_large(bytes))
    }

    fn add(
        &mut self,
        room: Option<&'a Arc<str>>,
        change: Change<'_>,
        body: Body,
        here: &[u8],
        after: Option<After>,
    ) -> Result<(), StoreError> {
        let place = Place { position: self.position, at: self.table_bytes()? };
        let known = room.and_then(|room| self.rooms.get_mut(&**room)).map(|(_, known)| known);
        let back = known.as_ref().map_or(Place::default(), |known| known.last);
        let entry = Entry::new(room.map_or("", |room| room), back, change, body, after);
        self.table = entry.encode(std::mem::take(&mut self.table), here);
        self.entries += 1;
        if let Some(known) = known {
            let module = after.and(entry.module().or(known.module));
            *known = Known { last: place, after, module };
        }
        Ok(())
    }

    /// The head for the file with that salt, and its check.
    pub(crate) fn head(&self, salt: u32, before: u32, durable: u64) -> ([u8; HEAD_BYTES], u32) {
        self.plain_head(before, durable).to_bytes(salt)
    }

    fn plain_head(&self, before: u32, durable: u64) -> Head {
        Head {
            entries: self.entries,
            position: self.position,
            durable,
            before,
            check_table: layout::crc(0, &self.table),
            check_bodies: self.check_bodies,
            table: u32::try_from(self.table.len()).unwrap_or(u32::MAX),
            bodies: self.bodies_bytes,
        }
    }

    /// How many bytes the record has.
    pub(crate) fn bytes(&self) -> u64 {
        self.plain_head(0, 0).record_bytes()
    }
}

fn too_large(bytes: usize) -> StoreError {
    StoreError::TooLarge { of: "one commit".to_owned(), bytes }
}
