//! When there is something to do that nobody will tell of: a room's timer, flush or end, a client's last moment.

use crate::names::RoomKey;
use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
    sync::Arc,
    time::{Duration, Instant},
};

/// For each room, or socket, the moment at which it is to be looked at: one, however often it changes its mind.
#[derive(Debug)]
pub(crate) struct Timers<R = RoomKey, T = Instant> {
    moments: BTreeSet<(T, R)>,
    of_rooms: HashMap<R, T>,
}

/// The moments of rooms that are not in memory.
pub(crate) type RoomTimers = Timers<Arc<str>>;

/// Until when, since 1970, the clients on sockets may stay.
pub(crate) type Expiries = Timers<u32, Duration>;

impl<R, T> Default for Timers<R, T> {
    fn default() -> Self {
        Timers { moments: BTreeSet::new(), of_rooms: HashMap::new() }
    }
}

impl<R: Clone + Ord + Hash, T: Copy + Ord> Timers<R, T> {
    /// Has a room looked at then, and not when it was to be before.
    pub(crate) fn add(&mut self, when: T, room: R) {
        if let Some(before) = self.of_rooms.insert(room.clone(), when) {
            self.moments.remove(&(before, room.clone()));
        }
        self.moments.insert((when, room));
    }

    /// Has a room not looked at any more.
    pub(crate) fn forget(&mut self, room: R) {
        if let Some(when) = self.of_rooms.remove(&room) {
            self.moments.remove(&(when, room));
            self.shrink();
        }
    }

    /// The next room whose moment has come, with that moment.
    pub(crate) fn pop_due(&mut self, now: T) -> Option<(T, R)> {
        if self.next()? > now {
            return None;
        }
        let (when, room) = self.moments.pop_first()?;
        self.of_rooms.remove(&room);
        self.shrink();
        Some((when, room))
    }

    fn shrink(&mut self) {
        if self.of_rooms.len() < self.of_rooms.capacity() / 4 {
            self.of_rooms.shrink_to(self.of_rooms.len() * 2);
        }
    }

    pub(crate) fn next(&self) -> Option<T> {
        self.moments.first().map(|(when, _)| *when)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        timers.add(at(1), "gone");
        timers.forget("gone");
        timers.forget("never there");
        assert_eq!((timers.pop_due(at(30_000)), timers.next()), (None, None));
    }
}
