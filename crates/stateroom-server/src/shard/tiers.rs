//! Which of a shard's rooms are awake, and which of them is to go to sleep.
//!
//! A room that sleeps keeps its clients, and wakes by itself when there is something for it to
//! hear. So sleep costs nobody anything but some 30 µs, and only as many rooms need to be awake as
//! are being talked in. Those that were quiet for longest go first.

use super::rooms::RoomKey;
use lru::LruCache;
use std::time::{Duration, Instant};

/// The rooms that are awake and can sleep, and how much of them there may be.
#[derive(Debug)]
pub(crate) struct AwakeRooms {
    rooms: LruCache<RoomKey, Awake>,
    bytes: usize,
    limits: AwakeLimits,
}

#[derive(Debug, Clone, Copy)]
struct Awake {
    /// When it last had its turn.
    since: Instant,
    bytes: usize,
}

/// How many rooms of one shard are awake at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AwakeLimits {
    pub(crate) rooms: usize,
    pub(crate) bytes: usize,
    /// How long a room that hears nothing stays awake.
    pub(crate) time: Duration,
}

impl AwakeRooms {
    pub(crate) fn new(limits: AwakeLimits) -> Self {
        AwakeRooms { rooms: LruCache::unbounded(), bytes: 0, limits }
    }

    /// Notes that a room has just had its turn, is awake, and takes so many bytes.
    pub(crate) fn note(&mut self, room: RoomKey, bytes: usize, now: Instant) {
        match self.rooms.get_mut(&room) {
            Some(awake) => {
                self.bytes = self.bytes - awake.bytes + bytes;
                *awake = Awake { since: now, bytes };
            }
            None => {
                self.rooms.put(room, Awake { since: now, bytes });
                self.bytes += bytes;
            }
        }
    }

    /// Notes that a room is asleep, or no more.
    pub(crate) fn forget(&mut self, room: RoomKey) {
        if let Some(awake) = self.rooms.pop(&room) {
            self.bytes -= awake.bytes;
        }
    }

    /// Passes over a room that is to sleep and can't just now: it is busy after all.
    pub(crate) fn pass_over(&mut self, room: RoomKey, now: Instant) {
        if let Some(awake) = self.rooms.get_mut(&room) {
            awake.since = now;
        }
    }

    /// The room that is to sleep next so that one more can be awake.
    pub(crate) fn too_many(&self) -> Option<RoomKey> {
        let too_many = self.rooms.len() >= self.limits.rooms || self.bytes > self.limits.bytes;
        too_many.then(|| self.rooms.peek_lru()).flatten().map(|(room, _)| *room)
    }

    /// A room that has been quiet for too long.
    pub(crate) fn quiet(&self, now: Instant) -> Option<RoomKey> {
        let (room, awake) = self.rooms.peek_lru()?;
        (awake.since + self.limits.time <= now).then_some(*room)
    }

    /// When to ask for [`AwakeRooms::quiet`] next.
    pub(crate) fn next_quiet(&self) -> Option<Instant> {
        self.rooms.peek_lru().map(|(_, awake)| awake.since + self.limits.time)
    }

    pub(crate) fn len(&self) -> usize {
        self.rooms.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn awake(rooms: usize, bytes: usize) -> AwakeRooms {
        AwakeRooms::new(AwakeLimits { rooms, bytes, time: Duration::from_secs(10) })
    }

    fn key(number: u32) -> RoomKey {
        RoomKey { index: number, birth: number }
    }

    #[test]
    fn the_room_that_was_quiet_for_longest_makes_room_for_one_more() {
        let (mut rooms, now) = (awake(2, usize::MAX), Instant::now());
        rooms.note(key(1), 10, now);
        assert_eq!(rooms.too_many(), None);
        rooms.note(key(2), 10, now);
        rooms.note(key(1), 10, now);
        assert_eq!(rooms.too_many(), Some(key(2)));
        rooms.forget(key(2));
        assert_eq!(rooms.too_many(), None);
    }

    #[test]
    fn large_rooms_make_room_too() {
        let (mut rooms, now) = (awake(1000, 100), Instant::now());
        rooms.note(key(1), 40, now);
        rooms.note(key(2), 40, now);
        assert_eq!(rooms.too_many(), None);
        rooms.note(key(2), 90, now);
        assert_eq!(rooms.too_many(), Some(key(1)));
        rooms.forget(key(1));
        assert_eq!(rooms.too_many(), None);
    }

    #[test]
    fn a_room_is_quiet_when_its_time_has_passed() {
        let (mut rooms, now) = (awake(1000, 100), Instant::now());
        let at = |seconds| now + Duration::from_secs(seconds);
        rooms.note(key(1), 1, at(0));
        rooms.note(key(2), 1, at(5));
        rooms.note(key(1), 1, at(6));
        assert_eq!(rooms.next_quiet(), Some(at(15)));
        assert_eq!(rooms.quiet(at(14)), None);
        assert_eq!(rooms.quiet(at(15)), Some(key(2)));
    }
}
