//! Knows in memory where the journal of each room lies in the file. Rooms whose journal is empty are
//! not in it and take no memory.

use super::log::Segment;
use crate::{Vitals, table::Table};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The position of spans that are in the table `carried` rather than in a row of the log.
pub(crate) const CARRIED: i64 = 0;

/// Where the records of one append lie.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Span {
    pub(crate) follows: u64,
    pub(crate) events: u32,
    /// The row of the log, or [`CARRIED`].
    pub(crate) position: i64,
    /// Where they begin in the bodies of that row.
    pub(crate) offset: u32,
    pub(crate) length: u32,
    pub(crate) check: u32,
}

impl Span {
    pub(crate) fn end(&self) -> u64 {
        self.follows.saturating_add(u64::from(self.events))
    }
}

/// What the file holds of a room's events since its snapshot.
#[derive(Clone, Debug)]
pub(crate) struct Journal {
    pub(crate) number: i64,
    pub(crate) snapshot_at: u64,
    pub(crate) vitals: Vitals,
    pub(crate) spans: VecDeque<Span>,
    /// What was found wrong with it when the store was opened.
    pub(crate) damage: Option<&'static str>,
}

impl Journal {
    pub(crate) fn new(number: i64, snapshot_at: u64) -> Self {
        let (vitals, spans) = (Vitals::default(), VecDeque::new());
        Self { number, snapshot_at, vitals, spans, damage: None }
    }

    /// How many events the room has had in its life.
    pub(crate) fn events(&self) -> u64 {
        self.spans.back().map_or(self.snapshot_at, Span::end)
    }

    pub(crate) fn brief(&self) -> Brief {
        Brief {
            vitals: self.vitals,
            events: self.events(),
            bytes: self.spans.iter().map(|span| u64::from(span.length)).sum(),
            damaged: self.damage.is_some(),
        }
    }

    pub(crate) fn has_carried(&self) -> bool {
        self.spans.front().is_some_and(|span| span.position == CARRIED)
    }
}

/// What can be told of a journal without its records.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Brief {
    pub(crate) vitals: Vitals,
    pub(crate) events: u64,
    pub(crate) bytes: u64,
    pub(crate) damaged: bool,
}

/// A row of the log.
#[derive(Copy, Clone, Debug)]
struct Row {
    place: RowPlace,
    /// How many of its entries somebody still needs.
    live: u32,
}

/// Where a row lies in its file.
#[derive(Copy, Clone, Debug)]
pub(crate) struct RowPlace {
    /// Where its bodies begin; its table of contents ends there.
    pub(crate) bodies_at: u64,
    /// How many bytes its bodies have.
    pub(crate) bodies: u32,
    /// And its table of contents.
    pub(crate) contents: u32,
}

/// The index of a store, shared between the one who writes and all who read.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedIndex(Arc<Mutex<Index>>);

impl SharedIndex {
    pub(crate) fn new(index: Index) -> Self {
        Self(Arc::new(Mutex::new(index)))
    }

    /// Holding it keeps commits from becoming visible.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Index> {
        // What changes an index cannot panic half way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where everything lies.
#[derive(Debug, Default)]
pub(crate) struct Index {
    journals: Table<Arc<str>, Journal>,
    /// The rooms of `journals` by their numbers.
    names: Table<i64, Arc<str>>,
    /// The files of the log, the oldest first.
    segments: VecDeque<Arc<Segment>>,
    /// The rows of the log, a queue: positions have no gaps, and rows go at the front.
    rows: VecDeque<Row>,
    /// The position of the first of `rows`.
    first: i64,
    row_bytes: u64,
    live_bytes: u64,
}

impl Index {
    /// Of a log whose first row has the position `first`.
    pub(crate) fn new(first: i64) -> Self {
        Self { first, ..Self::default() }
    }

    pub(crate) fn journal(&self, room: &str) -> Option<&Journal> {
        self.journals.get(room)
    }

    pub(crate) fn briefs(&self) -> HashMap<Arc<str>, Brief> {
        self.journals.iter().map(|(room, journal)| (room.clone(), journal.brief())).collect()
    }

    pub(crate) fn name(&self, number: i64) -> Option<&Arc<str>> {
        self.names.get(&number)
    }

    /// The position of the next row of the log.
    pub(crate) fn next_position(&self) -> i64 {
        self.first.saturating_add_unsigned(self.rows.len() as u64)
    }

    /// Notes a new file of the log.
    pub(crate) fn push_segment(&mut self, segment: Arc<Segment>) {
        // One without rows is written anew.
        self.segments.pop_back_if(|last| last.first == segment.first);
        self.segments.push_back(segment);
    }

    /// Notes a new row at the end of the newest file, of which nothing is needed yet.
    pub(crate) fn push_row(&mut self, place: RowPlace) {
        self.rows.push_back(Row { place, live: 0 });
        self.row_bytes += u64::from(place.bodies);
    }

    /// The file that the row of `position` is in, and where; `None` if there is no such row.
    pub(crate) fn row_place(&self, position: i64) -> Option<(Arc<Segment>, RowPlace)> {
        let row = usize::try_from(position.checked_sub(self.first)?).ok()?;
        let place = self.rows.get(row)?.place;
        let after = self.segments.partition_point(|segment| segment.first <= position);
        Some((self.segments.get(after.checked_sub(1)?)?.clone(), place))
    }

    /// Notes what was opened of a room's journal.
    pub(crate) fn insert(&mut self, room: Arc<str>, journal: Journal) {
        journal.spans.iter().for_each(|span| self.hold(span));
        self.names.insert(journal.number, room.clone());
        self.journals.insert(room, journal);
    }

    /// Notes an append to a room whose snapshot is at `snapshot_at`.
    pub(crate) fn append(
        &mut self,
        room: &Arc<str>,
        number: i64,
        snapshot_at: u64,
        span: Span,
        vitals: Vitals,
    ) {
        if !self.journals.contains_key(room) {
            self.insert(room.clone(), Journal::new(number, snapshot_at));
        }
        self.hold(&span);
        if let Some(journal) = self.journals.get_mut(room) {
            journal.spans.push_back(span);
            journal.vitals = vitals;
        }
    }

    /// Notes a snapshot of `room` at `at`: what came before is needed no more.
    pub(crate) fn truncate(&mut self, room: &str, at: u64) {
        let Some(journal) = self.journals.get_mut(room) else { return };
        journal.snapshot_at = at;
        let kept = journal.spans.partition_point(|span| span.end() <= at);
        let dropped: Vec<Span> = journal.spans.drain(..kept).collect();
        let is_empty = journal.spans.is_empty();
        dropped.iter().for_each(|span| self.release(span));
        if is_empty {
            self.remove(room);
        }
    }

    /// Notes that `room` was deleted.
    pub(crate) fn remove(&mut self, room: &str) {
        let Some(journal) = self.journals.remove(room) else { return };
        self.names.remove(&journal.number);
        journal.spans.iter().for_each(|span| self.release(span));
    }

    /// Forgets the rows at the front of the log that nobody needs.
    pub(crate) fn drop_dead(&mut self) {
        while let Some(row) = self.rows.pop_front_if(|row| row.live == 0) {
            self.first = self.first.saturating_add(1);
            self.row_bytes = self.row_bytes.saturating_sub(u64::from(row.place.bodies));
        }
    }

    /// The oldest file, if none of its rows is there any more, with the position of the first row of
    /// the next one. `is_ended` says that the newest is not written to any more.
    pub(crate) fn spare_segment(&self, is_ended: bool) -> Option<(Arc<Segment>, i64)> {
        let oldest = self.segments.front()?;
        let next = match self.segments.get(1) {
            Some(next) => next.first,
            None if is_ended => self.next_position(),
            None => return None,
        };
        (next <= self.first).then(|| (oldest.clone(), next))
    }

    /// The files of the log, the oldest first.
    pub(crate) fn segments(&self) -> impl Iterator<Item = &Arc<Segment>> {
        self.segments.iter()
    }

    /// Forgets the oldest file.
    pub(crate) fn drop_segment(&mut self) {
        self.segments.pop_front();
    }

    /// The oldest row of the log that is needed.
    pub(crate) fn oldest(&self) -> Option<i64> {
        (!self.rows.is_empty()).then_some(self.first)
    }

    /// How many bytes the rows of the log have, and how many of these are needed.
    pub(crate) fn log_bytes(&self) -> (u64, u64) {
        (self.row_bytes, self.live_bytes)
    }

    /// Notes that what `room` needs of the row of `position` was moved to `carried`.
    pub(crate) fn carry(&mut self, room: &str, position: i64) {
        let Some(journal) = self.journals.get_mut(room) else { return };
        let mut moved = Vec::new();
        for span in journal.spans.iter_mut().filter(|span| span.position == position) {
            moved.push(*span);
            (span.position, span.offset) = (CARRIED, 0);
        }
        moved.iter().for_each(|span| self.release(span));
    }

    fn hold(&mut self, span: &Span) {
        if let Some(row) = self.row(span.position) {
            row.live = row.live.saturating_add(1);
            self.live_bytes += u64::from(span.length);
        }
    }

    fn release(&mut self, span: &Span) {
        if let Some(row) = self.row(span.position) {
            row.live = row.live.saturating_sub(1);
            self.live_bytes = self.live_bytes.saturating_sub(u64::from(span.length));
        }
    }

    fn row(&mut self, position: i64) -> Option<&mut Row> {
        // Carried spans have the position 0, before the first row.
        let place = position.checked_sub(self.first)?;
        self.rows.get_mut(usize::try_from(place).ok()?)
    }
}
