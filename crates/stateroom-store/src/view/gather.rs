//! Gathers what is there of a room: from its last entry backwards, and then from its row.

use super::{Owned, Result, View, damaged};
use crate::{
    ModuleHash, StoredRecords, Vitals,
    checkpoint::{journal, row::RoomRow},
    log::{
        compose::Known,
        entry::{After, Large},
        layout::crc,
    },
};

/// A state, or where it is.
pub(super) enum State {
    Here(Vec<u8>),
    Large(Large),
}

/// What is there of a room.
pub(super) struct Gathered {
    pub(super) at: u64,
    pub(super) module: ModuleHash,
    pub(super) state: State,
    pub(super) state_bytes: u64,
    pub(super) tail: Vec<StoredRecords>,
    pub(super) vitals: Vitals,
}

impl View<'_> {
    /// What is there of `room`, of which `known` is what the log has.
    pub(super) fn gather(&self, room: &str, known: Option<Known>) -> Result<Option<Gathered>> {
        let Some(known) = known else {
            return self.row(room)?.map(|row| self.of_row(room, &row)).transpose();
        };
        let Some(after) = known.after else { return Ok(None) };
        let mut tail: Vec<StoredRecords> = Vec::new();
        let mut snapshot: Option<(ModuleHash, State, u64)> = None;
        let (mut place, mut lowest) = (known.last, after.events);
        while snapshot.is_none() || lowest > after.snapshot_at {
            let Some(read) = self.entry(room, place)? else {
                return self.with_row(room, known, after, snapshot, tail, lowest).map(Some);
            };
            if !read.is_intact {
                return damaged(
                    room,
                    format!("the checksum of record {} is wrong", place.position),
                );
            }
            match read.change {
                Owned::Append { follows, events } => {
                    let records = StoredRecords { follows, events, records: read.body };
                    if records.end() > after.snapshot_at {
                        lowest = follows;
                        tail.push(records);
                    }
                }
                Owned::Snapshot { at, module, born } => {
                    if snapshot.is_none() && at == after.snapshot_at {
                        let bytes = read.large.map_or(read.body.len() as u64, |it| it.length);
                        let state = read.large.map_or(State::Here(read.body), State::Large);
                        snapshot = Some((module, state, bytes));
                    }
                    if born {
                        break;
                    }
                }
                Owned::Delete => break,
                Owned::Quarantine { .. } | Owned::Module => {}
            }
            place = read.back;
        }
        tail.reverse();
        let Some((module, state, state_bytes)) = snapshot else {
            return damaged(room, "its snapshot is missing");
        };
        let (at, vitals) = (after.snapshot_at, after.vitals);
        checked(room, Gathered { at, module, state, state_bytes, tail, vitals }, after.events)
            .map(Some)
    }

    /// Goes on in the checkpoint where the log does not go back further. `tail` is the newest first.
    fn with_row(
        &self,
        room: &str,
        known: Known,
        after: After,
        snapshot: Option<(ModuleHash, State, u64)>,
        mut tail: Vec<StoredRecords>,
        lowest: u64,
    ) -> Result<Gathered> {
        let Some(row) = self.row(room)? else {
            return damaged(room, "a part of it is neither in the log nor in the checkpoint");
        };
        if row.position >= known.last.position {
            return self.of_row(room, &row);
        }
        let of_row = self.of_row(room, &row)?;
        tail.reverse();
        let mut journal = of_row.tail;
        journal.retain(|records| records.follows < lowest && records.end() > after.snapshot_at);
        journal.append(&mut tail);
        let (module, state, state_bytes) = match snapshot {
            Some(snapshot) => snapshot,
            None if of_row.at == after.snapshot_at => {
                (of_row.module, of_row.state, of_row.state_bytes)
            }
            None => return damaged(room, "its snapshot is missing"),
        };
        let (at, vitals) = (after.snapshot_at, after.vitals);
        let gathered = Gathered { at, module, state, state_bytes, tail: journal, vitals };
        checked(room, gathered, after.events)
    }

    fn of_row(&self, room: &str, row: &RoomRow) -> Result<Gathered> {
        let Some(connection) = self.connection else { return damaged(room, "its row is missing") };
        let (state, state_bytes) = match row.large {
            Some(large) => (State::Large(large), large.length),
            None => {
                let state = row.state(connection)?.unwrap_or_default();
                if crc(0, &state) != row.check_state {
                    return damaged(room, "the checksum of its snapshot is wrong");
                }
                let bytes = state.len() as u64;
                (State::Here(state), bytes)
            }
        };
        let mut tail = match journal::read(connection, row.number)? {
            Ok(tail) => tail,
            Err(follows) => {
                let what = format!("the checksum of the events after the first {follows} is wrong");
                return damaged(room, what);
            }
        };
        tail.retain(|records| records.end() > row.at);
        let (at, module, vitals) = (row.at, row.module, row.vitals);
        checked(room, Gathered { at, module, state, state_bytes, tail, vitals }, row.events)
    }
}

/// An error if a part of the journal is missing.
fn checked(room: &str, gathered: Gathered, events: u64) -> Result<Gathered> {
    let mut next = None;
    for records in &gathered.tail {
        let fits = match next {
            None => records.follows <= gathered.at,
            Some(next) => records.follows == next,
        };
        if !fits {
            return damaged(room, "a part of its journal is missing");
        }
        next = Some(records.end());
    }
    if next.unwrap_or(gathered.at) != events {
        return damaged(room, "the end of its journal is missing");
    }
    Ok(gathered)
}
