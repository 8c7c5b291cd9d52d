//! Carries out one commit: gathers its appends into a row of the log, makes its other changes inside a
//! transaction, and notes in the index where everything lies once it is there.

use super::{
    changes, checksum,
    index::{Index, Span},
    log::Written,
    room_row::{self, RoomRow},
    table_of_contents::{self, Entry},
};
use crate::{
    Durability, StoreError, Vitals, Write,
    order::{self, Standing},
    table::{self, Table},
};
use rusqlite::{Connection, OptionalExtension};
use std::{collections::hash_map::Entry as Place, sync::Arc};

/// How many bytes the appends of one commit may have, since a row tells where they lie in 32 bits.
const MOST_BYTES: usize = 2 << 30;

/// A room as the writes of this commit have left it so far.
#[derive(Copy, Clone)]
pub(crate) struct Room {
    pub(crate) number: i64,
    pub(crate) snapshot_at: u64,
    pub(crate) events: u64,
    /// As they were told last.
    pub(crate) vitals: Vitals,
    pub(crate) has_carried: bool,
}

impl Room {
    /// One of which nothing is known but that it is to be deleted.
    fn damaged(number: i64) -> Self {
        Self { number, snapshot_at: 0, events: 0, vitals: Vitals::default(), has_carried: true }
    }
}

impl Room {
    /// How many events it has had, and its vitals, after a snapshot at `at` that told `vitals`.
    pub(crate) fn after_snapshot(&self, at: u64, vitals: Vitals) -> (u64, Vitals) {
        match at < self.events {
            true => (self.events, self.vitals),
            false => (at, vitals),
        }
    }
}

/// An append that was written, for the index.
struct Appended {
    number: i64,
    snapshot_at: u64,
    span: Span,
}

/// What goes into a row of the log.
pub(crate) struct NewRow<'a> {
    pub(crate) position: i64,
    /// The table of contents.
    pub(crate) contents: Vec<u8>,
    pub(crate) bodies: &'a [&'a [u8]],
}

/// The rooms of a commit, as they stand before or in the midst of it.
pub(crate) struct Commit<'a> {
    durability: Durability,
    writes: &'a [Write],
    rooms: Table<&'a str, Option<Room>>,
    /// That of the row of the log, if there is one.
    pub(crate) position: i64,
    entries: Vec<Entry>,
    bodies: Vec<&'a [u8]>,
    /// How many bytes they have.
    bytes: usize,
    appended: Vec<Appended>,
    /// About how many bytes of the database were changed.
    pub(crate) volume: u64,
}

/// Why the rooms of a commit could not be looked up.
pub(crate) enum CheckError {
    Sqlite(rusqlite::Error),
    Store(StoreError),
}

impl<'a> Commit<'a> {
    /// Looks up the rooms of `writes`, and says whether these can be carried out.
    pub(crate) fn check(
        connection: &Connection,
        index: &Index,
        durability: Durability,
        writes: &'a [Write],
    ) -> Result<Self, CheckError> {
        let mut rooms: Table<&str, _> = table::with_capacity(writes.len());
        for write in writes {
            let Some(id) = write.room() else { continue };
            let Place::Vacant(place) = rooms.entry(&**id) else { continue };
            let room = match look_up(connection, index, id) {
                // Even a damaged room can be deleted.
                Err(CheckError::Store(_)) if matches!(write, Write::Delete { .. }) => {
                    let number = room_row::number(connection, id).map_err(CheckError::Sqlite)?;
                    number.map(Room::damaged)
                }
                room => room?,
            };
            place.insert(room);
        }
        order::check(writes, |id| {
            let room = rooms.get(id).copied().flatten();
            let standing =
                |Room { snapshot_at, events, .. }: Room| Standing { snapshot_at, events };
            Ok(room.map(standing))
        })
        .map_err(CheckError::Store)?;
        let appends = writes.iter().map(|write| match write {
            Write::Append { records, .. } => records.len(),
            _ => 0,
        });
        let bytes = appends.sum();
        if bytes > MOST_BYTES {
            let of = "the rooms of one commit".to_owned();
            return Err(CheckError::Store(StoreError::TooLarge { of, bytes }));
        }
        Ok(Self {
            durability,
            writes,
            rooms,
            position: index.next_position(),
            entries: Vec::new(),
            bodies: Vec::new(),
            bytes: 0,
            appended: Vec::new(),
            volume: 0,
        })
    }

    /// Whether it changes the database, and not only the log.
    pub(crate) fn needs_transaction(&self) -> bool {
        self.writes.iter().any(|write| !matches!(write, Write::Append { .. }))
    }

    /// Whether it takes a row of the log.
    pub(crate) fn has_appends(&self) -> bool {
        self.writes.iter().any(|write| matches!(write, Write::Append { .. }))
    }

    /// Gathers its appends, and makes its other changes. For these, a transaction is open on the
    /// connection.
    pub(crate) fn write(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        for write in self.writes {
            match write {
                Write::Append { room, follows, events, records, vitals } => {
                    self.append(room, *follows, *events, records, *vitals);
                }
                Write::Snapshot { room, at, module, state, vitals } => {
                    self.volume += state.len() as u64 + 4 * 4096;
                    let known = self.rooms.get(&**room).copied().flatten();
                    let room_now = match known {
                        Some(known) => {
                            let durability = self.durability;
                            let hash = &module.0;
                            changes::update(
                                connection, durability, room, known, *at, hash, state, *vitals,
                            )?
                        }
                        None => changes::insert(connection, room, *at, &module.0, state, *vitals)?,
                    };
                    self.rooms.insert(room, Some(room_now));
                }
                Write::Quarantine { room, at, time, reason, event } => {
                    self.volume += event.len() as u64 + 3 * 4096;
                    if let Some(Some(Room { number, .. })) = self.rooms.get(&**room) {
                        changes::quarantine(connection, *number, *at, *time, reason, event)?;
                    }
                }
                Write::Delete { room } => {
                    self.volume += 4 * 4096;
                    if let Some(Some(Room { number, .. })) = self.rooms.insert(room, None) {
                        changes::delete(connection, number, room)?;
                    }
                }
                Write::Module { hash, bytes } => {
                    self.volume += bytes.len() as u64;
                    changes::module(connection, &hash.0, bytes)?;
                }
            }
        }
        Ok(())
    }

    /// The row of the log that it takes; `None` without appends.
    pub(crate) fn row(&self) -> Result<Option<NewRow<'_>>, StoreError> {
        if self.entries.is_empty() {
            return Ok(None);
        }
        // Numbers can always be written.
        let contents = table_of_contents::encode(self.position, &self.entries)
            .map_err(|error| StoreError::Closed { reason: error.to_string().into() })?;
        Ok(Some(NewRow { position: self.position, contents, bodies: &self.bodies }))
    }

    /// Notes in the index what was written and committed.
    pub(crate) fn apply(self, index: &mut Index, written: Option<Written>) {
        if let Some(Written { begun, place }) = written {
            begun.into_iter().for_each(|segment| index.push_segment(segment));
            index.push_row(place);
        }
        let mut appended = self.appended.into_iter();
        for write in self.writes {
            match write {
                Write::Append { room, vitals, .. } => {
                    if let Some(Appended { number, snapshot_at, span }) = appended.next() {
                        index.append(room, number, snapshot_at, span, *vitals);
                    }
                }
                Write::Snapshot { room, at, .. } => index.truncate(room, *at),
                Write::Delete { room } => index.remove(room),
                Write::Quarantine { .. } | Write::Module { .. } => {}
            }
        }
    }

    fn append(
        &mut self,
        id: &'a Arc<str>,
        follows: u64,
        events: u32,
        records: &'a [u8],
        vitals: Vitals,
    ) {
        let Some(Some(room)) = self.rooms.get_mut(&**id) else { return };
        room.events = follows + u64::from(events);
        room.vitals = vitals;
        let Room { number, snapshot_at, .. } = *room;
        let check = checksum::records(number, id, follows, events, records);
        // Both fit, as was checked.
        let (offset, length) = (self.bytes as u32, records.len() as u32);
        self.bodies.push(records);
        self.bytes += records.len();
        let Vitals { wake_at, clients, .. } = vitals;
        let entry = Entry { number, follows, events, wake_at, clients, length, check };
        self.entries.push(entry);
        let span = entry.span(self.position, offset);
        self.appended.push(Appended { number, snapshot_at, span });
    }
}

/// What is known of the room `id` before the commit, or `None` if there is no such room.
fn look_up(connection: &Connection, index: &Index, id: &str) -> Result<Option<Room>, CheckError> {
    let damaged =
        |what: &str| CheckError::Store(StoreError::Damaged { room: id.into(), what: what.into() });
    if let Some(journal) = index.journal(id) {
        return match journal.damage {
            Some(what) => Err(damaged(what)),
            None => Ok(Some(Room {
                number: journal.number,
                snapshot_at: journal.snapshot_at,
                events: journal.events(),
                vitals: journal.vitals,
                has_carried: journal.has_carried(),
            })),
        };
    }
    let number = room_row::number(connection, id).map_err(CheckError::Sqlite)?;
    let Some(number) = number else { return Ok(None) };
    let row = RoomRow::read_by_number(connection, number).optional().map_err(CheckError::Sqlite)?;
    let intact = row.filter(|(name, row)| &**name == id && row.is_intact(number, id));
    let Some((_, row)) = intact else {
        return Err(damaged("the checksum of its row is wrong"));
    };
    if row.events > row.at {
        return Err(damaged("the end of its journal is missing"));
    }
    let (at, vitals) = (row.at, row.vitals);
    Ok(Some(Room { number, snapshot_at: at, events: at, vitals, has_carried: false }))
}
