//! When rooms have something to do that nobody will tell them: a timer, a flush, their end.

use crate::names::RoomKey;
use std::{cmp::Reverse, collections::BinaryHeap, sync::Arc, time::Instant};

/// Moments, each with the room that wanted to be looked at then. A room that changed its mind is
/// looked at once too often, which does no harm.
#[derive(Debug)]
pub(crate) struct Agenda<R = RoomKey>(BinaryHeap<Reverse<(Instant, R)>>);

/// The moments of rooms that are not in memory.
pub(crate) type Alarms = Agenda<Arc<str>>;

impl<R: Ord> Default for Agenda<R> {
    fn default() -> Self {
        Agenda(BinaryHeap::new())
    }
}

impl<R: Ord> Agenda<R> {
    pub(crate) fn add(&mut self, when: Instant, room: R) {
        self.0.push(Reverse((when, room)));
    }

    /// The next room whose moment has come, with that moment.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<(Instant, R)> {
        if self.next()? > now {
            return None;
        }
        let Reverse(entry) = self.0.pop()?;
        if self.0.len() < self.0.capacity() / 4 {
            self.0.shrink_to(self.0.len() * 2);
        }
        Some(entry)
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.peek().map(|Reverse((when, _))| *when)
    }
}
