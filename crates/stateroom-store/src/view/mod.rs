//! A store as it is at one moment: the log since the checkpoint, and the checkpoint. What is read of a
//! room is found from its last entry backwards, and in its row of the checkpoint.

mod gather;
mod module;
mod room;
mod rooms;

use crate::{
    ModuleHash, StoreError,
    checkpoint::row::RoomRow,
    files::Files,
    log::{
        compose::Known,
        entry::{After, Body, Change, Large, Place},
        segment::Segment,
    },
};
use rusqlite::Connection;
use std::{io, path::Path, sync::Arc};

/// See the [module](self).
pub(crate) struct View<'a> {
    pub(crate) files: &'a dyn Files,
    pub(crate) folder: &'a Path,
    pub(crate) segments: &'a [Arc<Segment>],
    /// In a transaction. `None` if there is no checkpoint yet.
    pub(crate) connection: Option<&'a Connection>,
}

/// Why something could not be read.
#[derive(Debug)]
pub(crate) enum ReadError {
    Store(StoreError),
    Sqlite(rusqlite::Error),
    Io(io::Error),
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        ReadError::Sqlite(error)
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        ReadError::Io(error)
    }
}

type Result<T> = std::result::Result<T, ReadError>;

fn damaged<T>(room: &str, what: impl Into<String>) -> Result<T> {
    Err(ReadError::Store(StoreError::Damaged { room: room.into(), what: what.into() }))
}

/// An entry of the log, owned.
struct Read {
    back: Place,
    change: Owned,
    body: Vec<u8>,
    large: Option<Large>,
    is_intact: bool,
}

enum Owned {
    Append { follows: u64, events: u32 },
    Snapshot { at: u64, module: ModuleHash, born: bool },
    Quarantine { at: u64, time: u64, reason: String },
    Delete,
    Module,
}

impl View<'_> {
    /// The entry at `place` of `room`; `None` if the log does not go back so far.
    fn entry(&self, room: &str, place: Place) -> Result<Option<Read>> {
        let after = self.segments.partition_point(|it| it.from <= place.position);
        let segment = after.checked_sub(1).and_then(|place| self.segments.get(place));
        let Some(segment) = segment.filter(|_| place.position > 0) else { return Ok(None) };
        let read = segment.read(place, |coded, body| {
            let entry = &coded.entry;
            let change = match entry.change {
                Change::Append { follows, events } => Owned::Append { follows, events },
                Change::Snapshot { at, module, born } => {
                    Owned::Snapshot { at, module: ModuleHash(module), born }
                }
                Change::Quarantine { at, time, reason } => {
                    Owned::Quarantine { at, time, reason: reason.to_owned() }
                }
                Change::Delete => Owned::Delete,
                Change::Module { .. } => Owned::Module,
            };
            let large = match entry.body {
                Body::Large(large) => Some(large),
                Body::Here { .. } => None,
            };
            let is_intact = coded.is_intact(body) && entry.room == room;
            Read { back: entry.back, change, body: body.to_vec(), large, is_intact }
        });
        match read? {
            Some(read) => Ok(Some(read)),
            None if room.is_empty() => Ok(None),
            None => damaged(room, format!("record {} cannot be read", place.position)),
        }
    }

    fn row(&self, room: &str) -> Result<Option<RoomRow>> {
        let Some(connection) = self.connection else { return Ok(None) };
        match RoomRow::read(connection, room)? {
            Some(row) if row.deleted => Ok(None),
            Some(row) if !row.is_intact => damaged(room, "the checksum of its row is wrong"),
            row => Ok(row),
        }
    }

    /// Where `room` stands, of a room that the index does not have.
    pub(crate) fn standing(&self, room: &str) -> Result<Option<Known>> {
        let known = |row: RoomRow| {
            let (snapshot_at, events, vitals) = (row.at, row.events, row.vitals);
            let after = Some(After { snapshot_at, events, vitals });
            Known { last: row.last, after, module: None }
        };
        Ok(self.row(room)?.map(known))
    }
}
