//! A store as it is at one moment: the log since the checkpoint, and the checkpoint. What is read of a
//! room is found from its last entry backwards, and in its row of the checkpoint.

use crate::{
    ModuleHash, Quarantined, RoomCount, RoomSummary, StoreError, StoredRecords, StoredRoom,
    StoredSnapshot, Vitals,
    checkpoint::row::{self, RoomRow},
    files::Files,
    log::{
        compose::Known,
        entry::{After, Body, Change, Large, Place},
        large,
        segment::Segment,
    },
    quarantine,
};
use rusqlite::Connection;
use std::{
    collections::{BTreeMap, HashMap},
    io,
    path::Path,
    sync::Arc,
};

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

/// A state, or where it is.
enum State {
    Here(Vec<u8>),
    Large(Large),
}

/// What is there of a room.
struct Gathered {
    at: u64,
    module: ModuleHash,
    state: State,
    state_bytes: u64,
    tail: Vec<StoredRecords>,
    vitals: Vitals,
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

    fn gather(&self, room: &str, known: Option<Known>) -> Result<Option<Gathered>> {
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
                if crate::log::layout::crc(0, &state) != row.check_state {
                    return damaged(room, "the checksum of its snapshot is wrong");
                }
                let bytes = state.len() as u64;
                (State::Here(state), bytes)
            }
        };
        let mut tail = match row::journal(connection, row.number)? {
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

    /// All rooms, of which `known` is what the log has, ordered by their names.
    pub(crate) fn list(&self, known: &HashMap<Arc<str>, Known>) -> Result<Vec<RoomSummary>> {
        let mut names: Vec<Arc<str>> = known.keys().cloned().collect();
        if let Some(connection) = self.connection {
            RoomRow::each(connection, "", None, |row| {
                if !known.contains_key(&row.room) {
                    names.push(row.room);
                }
                true
            })?;
        }
        names.sort_unstable();
        let mut list = Vec::with_capacity(names.len());
        for name in names {
            list.extend(self.summary(&name, known.get(&name).copied())?);
        }
        Ok(list)
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
            for (place, event, is_intact) in row::quarantined(connection, row.number)? {
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

    /// How many rooms there are, and how many have other code. Reads no room.
    pub(crate) fn count(
        &self,
        known: &HashMap<Arc<str>, Known>,
        code: Option<&ModuleHash>,
    ) -> Result<RoomCount> {
        let mut count = RoomCount { rooms: 0, with_other_code: 0 };
        let mut add = |rooms: u64, module: Option<ModuleHash>| {
            count.rooms += rooms;
            if code.is_some_and(|code| module != Some(*code)) {
                count.with_other_code += rooms;
            }
        };
        // Those of which their row has to tell it.
        let mut untold = 0_u64;
        for known in known.values().filter(|known| known.after.is_some()) {
            match known.module {
                Some(module) => add(1, Some(module)),
                None => untold += 1,
            }
        }
        if let Some(connection) = self.connection {
            row::each_module(connection, |room, module| match known.get(room) {
                None => add(1, module),
                Some(Known { after: Some(_), module: None, .. }) => {
                    untold = untold.saturating_sub(1);
                    add(1, module);
                }
                Some(_) => {}
            })?;
        }
        // Damaged: their rows are missing.
        add(untold, None);
        Ok(count)
    }

    /// The rooms that need attention.
    pub(crate) fn needing_attention(
        &self,
        known: &HashMap<Arc<str>, Known>,
    ) -> Result<Vec<(Arc<str>, Vitals)>> {
        let of_log =
            known.iter().filter_map(|(room, known)| Some((room.clone(), known.after?.vitals)));
        let mut rooms: Vec<(Arc<str>, Vitals)> =
            of_log.filter(|(_, vitals)| vitals.need_attention()).collect();
        if let Some(connection) = self.connection {
            let condition = "AND (wake_at IS NOT NULL OR clients > 0)";
            RoomRow::each(connection, condition, None, |row| {
                if !known.contains_key(&row.room) {
                    rooms.push((row.room, row.vitals));
                }
                true
            })?;
        }
        Ok(rooms)
    }

    /// Rooms that nothing has happened in since `before`.
    pub(crate) fn forgettable(
        &self,
        known: &HashMap<Arc<str>, Known>,
        before: u64,
        most: usize,
    ) -> Result<Vec<Arc<str>>> {
        let is_quiet = |vitals: &Vitals| !vitals.need_attention() && vitals.heard_at < before;
        let of_log = known
            .iter()
            .filter(|(_, known)| known.after.is_some_and(|after| is_quiet(&after.vitals)));
        let mut rooms: Vec<Arc<str>> = of_log.map(|(room, _)| room.clone()).take(most).collect();
        if let Some(connection) = self.connection
            && rooms.len() < most
        {
            let condition =
                "AND wake_at IS NULL AND clients = 0 AND heard_at < ?1 ORDER BY heard_at";
            let bound = i64::try_from(before).unwrap_or(i64::MAX);
            RoomRow::each(connection, condition, Some(bound), |row| {
                if !known.contains_key(&row.room) {
                    rooms.push(row.room);
                }
                rooms.len() < most
            })?;
        }
        Ok(rooms)
    }

    /// The module of that hash, of which the log has an entry at `place`.
    pub(crate) fn module(
        &self,
        hash: &ModuleHash,
        place: Option<Place>,
    ) -> Result<Option<Vec<u8>>> {
        let damaged = |what: &str| {
            let what = what.to_owned();
            Err(ReadError::Store(StoreError::DamagedModule { hash: *hash, what }))
        };
        let (large, bytes, is_intact) =
            match place.map(|place| self.entry("", place)).transpose()? {
                Some(Some(read)) if matches!(read.change, Owned::Module) => {
                    (read.large, Some(read.body), read.is_intact)
                }
                Some(Some(_)) => return damaged("its record is another one"),
                Some(None) | None => {
                    let Some(connection) = self.connection else { return Ok(None) };
                    match row::module(connection, hash)? {
                        Some(row) => (row.large, row.bytes, row.is_intact),
                        None if place.is_some() => return damaged("its record cannot be read"),
                        None => return Ok(None),
                    }
                }
            };
        match (large, bytes) {
            _ if !is_intact => damaged("its checksum is wrong"),
            (Some(it), _) => match large::read(self.files, self.folder, it)? {
                Some(bytes) => Ok(Some(bytes)),
                None => damaged("its file is missing or damaged"),
            },
            (None, Some(bytes)) => Ok(Some(bytes)),
            (None, None) => damaged("it is missing"),
        }
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
