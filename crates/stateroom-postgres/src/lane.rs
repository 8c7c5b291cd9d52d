//! A connection that parts stick to, as a state machine: gathers the records that are due into one statement, one at a
//! time, and tells each part what has become of its record. It has no socket and no clock.

use crate::{
    Part,
    in_flight::{Ended, Heard, InFlight, Unsettled},
    ownership::{Ownership, Place, State},
};
use bytes::Bytes;
use std::collections::BTreeMap;

/// How many bytes the bodies of one statement have at most, unless it has only one row.
pub const MAX_STATEMENT_BYTES: usize = 8 << 20;

/// How large a record may be: 256 MiB. A message of PostgreSQL takes 1 GiB, and text forms of it twice as much.
pub const MAX_RECORD_BYTES: usize = 256 << 20;

/// Why a record was not taken. Nothing has happened.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// The part is not owned.
    NotOwned,
    /// The part's record before this one is not settled yet.
    Busy,
    /// It has more than [`MAX_RECORD_BYTES`].
    TooLarge,
}

/// A row of a statement that appends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// To which part.
    pub part: Part,
    /// Where in it.
    pub place: Place,
    /// The record.
    pub body: Bytes,
}

/// What has become of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is durable, at this position.
    Durable(Part, i64),
    /// It is not known. The part is not owned any more.
    Lost(Part, Unsettled),
}

/// A connection that parts stick to: which of them have something due, and the one statement that is on its way.
#[derive(Debug, Default)]
pub struct Lane {
    parts: BTreeMap<Part, Owned>,
    in_flight: Option<InFlight>,
    /// The last part of the statement before, so that each part gets its turn.
    turn: Option<Part>,
}

#[derive(Debug)]
struct Owned {
    ownership: Ownership,
    due: Option<Bytes>,
}

impl Lane {
    /// Takes in a part whose claim was acknowledged there.
    pub fn adopt(&mut self, part: Part, claim: Place) {
        let ownership = Ownership::claimed(claim);
        self.parts.insert(part, Owned { ownership, due: None });
    }

    /// Ends the ownership of a part, if it is owned.
    pub fn give_up(&mut self, part: Part) {
        self.parts.remove(&part);
    }

    /// Whether it owns that part by that claim or by a record that follows it.
    #[must_use]
    pub fn last(&self, part: Part) -> Option<Place> {
        self.parts.get(&part).map(|owned| owned.ownership.last())
    }

    /// Takes a record, which goes out with the next statement that has place for it.
    ///
    /// # Errors
    /// When it cannot.
    pub fn put(&mut self, part: Part, body: Bytes) -> Result<(), NotTaken> {
        let owned = self.parts.get_mut(&part).ok_or(NotTaken::NotOwned)?;
        if body.len() > MAX_RECORD_BYTES {
            return Err(NotTaken::TooLarge);
        }
        if owned.due.is_some() || owned.ownership.state() != State::Claimed {
            return Err(NotTaken::Busy);
        }
        owned.due = Some(body);
        Ok(())
    }

    /// The next statement, which is on its way from now on: its rows ordered by part, since statements that wait for each
    /// other's keys would otherwise do so in a circle. Empty while one is on its way, or nothing is due.
    pub fn next_statement(&mut self) -> Vec<Row> {
        if self.in_flight.is_some() {
            return Vec::new();
        }
        let turn = self.turn;
        let is_due =
            |(part, owned): (&Part, &Owned)| owned.due.as_ref().map(|it| (*part, it.len()));
        let due: Vec<(Part, usize)> = self.parts.iter().filter_map(is_due).collect();
        let (before, after): (Vec<_>, Vec<_>) =
            due.into_iter().partition(|(part, _)| turn.is_some_and(|turn| *part <= turn));
        let mut bytes = 0;
        let mut rows = Vec::new();
        for (part, length) in after.into_iter().chain(before) {
            bytes += length;
            if bytes > MAX_STATEMENT_BYTES && !rows.is_empty() {
                break;
            }
            rows.extend(self.take(part));
            self.turn = Some(part);
        }
        rows.sort_by_key(|row| row.part);
        if !rows.is_empty() {
            self.in_flight = Some(InFlight::new(rows.iter().map(|row| row.part)));
        }
        rows
    }

    fn take(&mut self, part: Part) -> Option<Row> {
        let owned = self.parts.get_mut(&part)?;
        let body = owned.due.take()?;
        let place = owned.ownership.append()?;
        Some(Row { part, place, body })
    }

    /// Hears what comes of the statement, and tells the fate of its records once it is over. Parts of which no record is on its way stay
    /// owned, whatever becomes of the connection: nothing of theirs is unsettled.
    pub fn hear(&mut self, heard: Heard) -> Vec<Fate> {
        let Some(in_flight) = &mut self.in_flight else { return Vec::new() };
        let Some(Ended { durable, unsettled, .. }) = in_flight.hear(heard) else {
            return Vec::new();
        };
        self.in_flight = None;
        let mut fates = Vec::with_capacity(durable.len() + unsettled.len());
        for (part, ()) in durable {
            // None if the part was given up, or claimed anew, in the meantime.
            let seq = self.parts.get_mut(&part).and_then(|owned| owned.ownership.appended());
            fates.extend(seq.map(|seq| Fate::Durable(part, seq)));
        }
        for (part, why) in unsettled {
            let is_appending = |owned: &mut Owned| owned.ownership.state() == State::Appending;
            if self.parts.get_mut(&part).is_some_and(is_appending) {
                self.parts.remove(&part);
                fates.push(Fate::Lost(part, why));
            }
        }
        fates
    }

    /// Whether there is something for the next statement.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.parts.values().any(|owned| owned.due.is_some())
    }

    /// Whether a statement is on its way.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.in_flight.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::{Fate, Lane, MAX_STATEMENT_BYTES, NotTaken, Row};
    use crate::{
        Epoch, Part,
        in_flight::{Heard, Unsettled},
        ownership::Place,
    };
    use bytes::Bytes;

    const CLAIM: Place = Place { seq: 10, epoch: Epoch::NONE.next(7) };

    fn part(number: u16) -> Part {
        Part::new(number).unwrap()
    }

    fn lane(parts: &[u16]) -> Lane {
        let mut lane = Lane::default();
        parts.iter().for_each(|number| lane.adopt(part(*number), CLAIM));
        lane
    }

    fn put(lane: &mut Lane, number: u16) {
        lane.put(part(number), Bytes::from_static(b"record")).unwrap();
    }

    fn parts(rows: &[Row]) -> Vec<u16> {
        rows.iter().map(|row| row.part.number()).collect()
    }

    #[test]
    fn what_is_due_goes_out_together_ordered_by_part() {
        let mut lane = lane(&[9, 3, 200]);
        [200, 3, 9].into_iter().for_each(|number| put(&mut lane, number));
        assert_eq!(parts(&lane.next_statement()), [3, 9, 200]);
    }

    #[test]
    fn a_statement_waits_for_the_one_before() {
        let mut lane = lane(&[1, 2]);
        put(&mut lane, 1);
        assert_eq!(parts(&lane.next_statement()), [1]);
        put(&mut lane, 2);
        assert!(lane.next_statement().is_empty());
        lane.hear(Heard::Row(part(1), ()));
        assert!(lane.next_statement().is_empty());
        assert_eq!(lane.hear(Heard::Ready), [Fate::Durable(part(1), 11)]);
        assert_eq!(parts(&lane.next_statement()), [2]);
    }

    #[test]
    fn a_part_has_one_record_on_its_way() {
        let mut lane = lane(&[1]);
        put(&mut lane, 1);
        assert_eq!(lane.put(part(1), Bytes::new()), Err(NotTaken::Busy), "one is due");
        lane.next_statement();
        assert_eq!(lane.put(part(1), Bytes::new()), Err(NotTaken::Busy), "one is on its way");
        lane.hear(Heard::Row(part(1), ()));
        lane.hear(Heard::Ready);
        put(&mut lane, 1);
        assert_eq!(lane.next_statement()[0].place, Place { seq: 12, ..CLAIM });
    }

    #[test]
    fn only_parts_whose_record_was_on_its_way_are_lost_with_a_connection() {
        let mut lane = lane(&[1, 2, 3]);
        put(&mut lane, 1);
        lane.next_statement();
        put(&mut lane, 2);
        let lost = lane.hear(Heard::TimedOut);
        assert_eq!(lost, [Fate::Lost(part(1), Unsettled::TimedOut)]);
        assert_eq!(lane.put(part(1), Bytes::new()), Err(NotTaken::NotOwned));
        put(&mut lane, 3);
        assert_eq!(parts(&lane.next_statement()), [2, 3], "on the next connection");
    }

    #[test]
    fn the_fate_of_an_earlier_ownership_is_not_taken_for_that_of_a_later_one() {
        for reported in [true, false] {
            let mut lane = lane(&[1]);
            put(&mut lane, 1);
            lane.next_statement();
            let again = Place { seq: 20, epoch: CLAIM.epoch.next(1) };
            lane.adopt(part(1), again);
            if reported {
                lane.hear(Heard::Row(part(1), ()));
            }
            assert_eq!(lane.hear(Heard::Ready), []);
            assert_eq!(lane.last(part(1)), Some(again));
        }
    }

    #[test]
    fn a_statement_has_a_bound_in_bytes_and_each_part_its_turn() {
        let mut lane = lane(&[1, 2, 3]);
        let mut carried = Vec::new();
        for _ in 0..6 {
            for number in 1..=3 {
                let _ = lane.put(part(number), vec![0; MAX_STATEMENT_BYTES / 2].into());
            }
            let rows = lane.next_statement();
            assert_eq!(rows.len(), 2);
            for row in rows {
                carried.push(row.part.number());
                lane.hear(Heard::Row(row.part, ()));
            }
            lane.hear(Heard::Ready);
        }
        for number in 1..=3 {
            assert_eq!(carried.iter().filter(|it| **it == number).count(), 4, "{carried:?}");
        }
    }

    #[test]
    fn a_record_larger_than_a_statement_goes_alone() {
        let mut lane = lane(&[1, 2]);
        lane.put(part(1), vec![0; 2 * MAX_STATEMENT_BYTES].into()).unwrap();
        put(&mut lane, 2);
        assert_eq!(parts(&lane.next_statement()), [1]);
    }
}
