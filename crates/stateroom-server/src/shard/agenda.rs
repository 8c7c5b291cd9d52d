//! When rooms have something to do that nobody will tell them: a timer, a flush, their end.

use super::rooms::RoomKey;
use std::{cmp::Reverse, collections::BinaryHeap, time::Instant};

/// Moments, each with the room that wanted to be looked at then. A room that changed its mind is
/// looked at once too often, which does no harm.
#[derive(Debug, Default)]
pub(crate) struct Agenda(BinaryHeap<Reverse<(Instant, RoomKey)>>);

impl Agenda {
    pub(crate) fn add(&mut self, when: Instant, room: RoomKey) {
        self.0.push(Reverse((when, room)));
    }

    /// The next room whose moment has come, with that moment.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<(Instant, RoomKey)> {
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
