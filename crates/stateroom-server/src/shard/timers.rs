//! When rooms have something to do that nobody will tell them: a timer, a flush, their end.

use crate::names::RoomKey;
use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
    sync::Arc,
    time::Instant,
};

/// For each room the moment at which it is to be looked at: one, however often it changes its mind.
#[derive(Debug)]
pub(crate) struct Timers<R = RoomKey> {
    moments: BTreeSet<(Instant, R)>,
    of_rooms: HashMap<R, Instant>,
}

/// The moments of rooms that are not in memory.
pub(crate) type RoomTimers = Timers<Arc<str>>;

impl<R> Default for Timers<R> {
    fn default() -> Self {
        Timers { moments: BTreeSet::new(), of_rooms: HashMap::new() }
    }
}

impl<R: Clone + Ord + Hash> Timers<R> {
    /// Has a room looked at then, and not when it was to be before.
    pub(crate) fn add(&mut self, when: Instant, room: R) {
        if let Some(before) = self.of_rooms.insert(room.clone(), when) {
            self.moments.remove(&(before, room.clone()));
        }
        self.moments.insert((when, room));
    }

    /// The next room whose moment has come, with that moment.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<(Instant, R)> {
        if self.next()? > now {
            return None;
        }
        let (when, room) = self.moments.pop_first()?;
        self.of_rooms.remove(&room);
        if self.of_rooms.len() < self.of_rooms.capacity() / 4 {
            self.of_rooms.shrink_to(self.of_rooms.len() * 2);
        }
        Some((when, room))
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.moments.first().map(|(when, _)| *when)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_room_has_one_entry_however_often_it_is_scheduled() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut timers = Timers::default();
        (0..10_000).for_each(|round| timers.add(at(20_000 - round), "busy"));
        timers.add(at(5), "quiet");
        assert_eq!((timers.moments.len(), timers.of_rooms.len()), (2, 2));
        assert_eq!(timers.next(), Some(at(5)));
        assert_eq!(timers.pop_due(at(30_000)), Some((at(5), "quiet")));
        assert_eq!(timers.pop_due(at(10_000)), None);
        assert_eq!(timers.pop_due(at(10_001)), Some((at(10_001), "busy")));
        assert_eq!((timers.pop_due(at(30_000)), timers.next()), (None, None));
    }
}
