//! Which of a shard's rooms are awake, and which of them is to go to sleep.
//!
//! A room that sleeps keeps its clients, and wakes by itself when there is something for it to
//! hear. So sleep costs nobody anything but some 30 µs, and only as many rooms need to be awake as
//! are being talked in.
//!
//! Rooms that have only just woken are newcomers, and few of them stay awake; those that go on
//! hearing things become regulars, of whom there may be many. So a crowd that says hello and no
//! more, or one visit after the other, neither takes the place of rooms that are being talked in
//! nor leaves its mark on the memory: an instance that was used once keeps some 20 KiB.
//!
//! Where many rooms begin to talk at once, each is put to sleep before it has said enough. So
//! newcomers that went to sleep are remembered for a while, and are regulars when they are back: the
//! scheme known from caches as [2Q](https://www.vldb.org/conf/1994/P439.PDF).

use crate::names::RoomKey;
use lru::LruCache;
use std::time::{Duration, Instant};

/// A room that has had more turns than this since it woke is a regular.
const TURNS_OF_A_NEWCOMER: u32 = 3;

/// A room stays awake for this long at least, so that one that is busy is not asked over and over
/// whether it sleeps.
const SHORTEST: Duration = Duration::from_millis(1);

/// This part of the rooms that may be awake is for newcomers.
const NEWCOMERS: usize = 32;

/// The rooms that are awake and can sleep, and how much of them there may be.
#[derive(Debug)]
pub(crate) struct AwakeRooms {
    newcomers: LruCache<RoomKey, Awake>,
    regulars: LruCache<RoomKey, Awake>,
    /// Newcomers that went to sleep not long ago: as many as may be awake.
    remembered: LruCache<RoomKey, ()>,
    bytes: usize,
    limits: AwakeLimits,
}

#[derive(Debug, Clone, Copy)]
struct Awake {
    /// When it last heard something.
    since: Instant,
    bytes: usize,
    turns: u32,
}

/// When a room is to sleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// When it has nothing to do.
    WhenQuiet,
    /// Even if it is to wake again soon: another one needs its memory.
    Now,
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
        AwakeRooms {
            newcomers: LruCache::unbounded(),
            regulars: LruCache::unbounded(),
            remembered: LruCache::unbounded(),
            bytes: 0,
            limits: AwakeLimits { time: limits.time.max(SHORTEST), ..limits },
        }
    }

    /// Notes that a room has just heard something, is awake, and takes so many bytes.
    pub(crate) fn note(&mut self, room: RoomKey, bytes: usize, now: Instant) {
        self.bytes += bytes;
        if let Some(awake) = self.regulars.get_mut(&room) {
            self.bytes -= awake.bytes;
            *awake = Awake { since: now, bytes, turns: awake.turns };
        } else if let Some(awake) = self.newcomers.get_mut(&room) {
            self.bytes -= awake.bytes;
            *awake = Awake { since: now, bytes, turns: awake.turns + 1 };
            if awake.turns > TURNS_OF_A_NEWCOMER
                && let Some(awake) = self.newcomers.pop(&room)
            {
                self.regulars.put(room, awake);
            }
        } else {
            let is_back = self.remembered.pop(&room).is_some();
            let rooms = if is_back { &mut self.regulars } else { &mut self.newcomers };
            rooms.put(room, Awake { since: now, bytes, turns: 1 });
        }
    }

    /// Notes that a room has had its turn, is awake and takes so many bytes, but has heard nothing:
    /// its clients may have been pinged.
    pub(crate) fn note_idle(&mut self, room: RoomKey, bytes: usize, now: Instant) {
        let awake = self.regulars.peek_mut(&room).or_else(|| self.newcomers.peek_mut(&room));
        match awake {
            Some(awake) => {
                self.bytes = self.bytes + bytes - awake.bytes;
                awake.bytes = bytes;
            }
            None => self.note(room, bytes, now),
        }
    }

    /// Notes that a room is asleep.
    pub(crate) fn sleeps(&mut self, room: RoomKey) {
        if self.newcomers.contains(&room) {
            self.remembered.put(room, ());
            if self.remembered.len() > self.limits.rooms {
                self.remembered.pop_lru();
            }
        }
        self.forget(room);
    }

    /// Notes that a room is not awake, or no more.
    pub(crate) fn forget(&mut self, room: RoomKey) {
        let awake = self.regulars.pop(&room).or_else(|| self.newcomers.pop(&room));
        self.bytes -= awake.map_or(0, |awake| awake.bytes);
    }

    /// Passes over a room that is to sleep and can't just now: it is busy after all.
    pub(crate) fn pass_over(&mut self, room: RoomKey, now: Instant) {
        let awake = self.regulars.get_mut(&room).or_else(|| self.newcomers.get_mut(&room));
        if let Some(awake) = awake {
            awake.since = now;
        }
    }

    /// The room that is to sleep, if it is quiet, so that `next`, whose turn it is, can be awake.
    pub(crate) fn too_many(&self, next: RoomKey) -> Option<RoomKey> {
        let newcomers = (self.limits.rooms / NEWCOMERS).max(1);
        if self.newcomers.len() + self.one_more(next) > newcomers {
            oldest(&self.newcomers, next)
        } else {
            self.far_too_many(next)
        }
    }

    /// The room that is to sleep, quiet or not, so that no more are awake with `next` than may be.
    pub(crate) fn far_too_many(&self, next: RoomKey) -> Option<RoomKey> {
        let is_full = self.len() + self.one_more(next) > self.limits.rooms;
        if is_full || self.bytes > self.limits.bytes {
            oldest(&self.regulars, next).or_else(|| oldest(&self.newcomers, next))
        } else {
            None
        }
    }

    /// How many more are awake once `next` is.
    fn one_more(&self, next: RoomKey) -> usize {
        usize::from(!self.newcomers.contains(&next) && !self.regulars.contains(&next))
    }

    /// A room that has been quiet for too long.
    pub(crate) fn quiet(&self, now: Instant) -> Option<RoomKey> {
        let mut rooms = [&self.newcomers, &self.regulars].into_iter();
        rooms.find_map(|rooms| {
            let (room, awake) = rooms.peek_lru()?;
            (awake.since + self.limits.time <= now).then_some(*room)
        })
    }

    /// When to ask for [`AwakeRooms::quiet`] next.
    pub(crate) fn next_quiet(&self) -> Option<Instant> {
        let oldest = [&self.newcomers, &self.regulars].into_iter().filter_map(LruCache::peek_lru);
        oldest.map(|(_, awake)| awake.since + self.limits.time).min()
    }

    pub(crate) fn len(&self) -> usize {
        self.newcomers.len() + self.regulars.len()
    }
}

/// The room that heard nothing for longest, but for the one whose turn it is.
fn oldest(rooms: &LruCache<RoomKey, Awake>, next: RoomKey) -> Option<RoomKey> {
    rooms.iter().rev().map(|(room, _)| *room).find(|room| *room != next)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn awake(rooms: usize, bytes: usize) -> AwakeRooms {
        AwakeRooms::new(AwakeLimits { rooms, bytes, time: Duration::from_secs(10) })
    }

    /// A room that is not awake yet.
    const NEXT: RoomKey = key(10_000);

    const fn key(number: u32) -> RoomKey {
        RoomKey { index: number, birth: number }
    }

    /// Has a room become a regular.
    fn talk_in(rooms: &mut AwakeRooms, room: u32, now: Instant) {
        (0..=TURNS_OF_A_NEWCOMER).for_each(|_| rooms.note(key(room), 10, now));
    }

    #[test]
    fn the_regular_that_was_quiet_for_longest_makes_room_for_one_more() {
        let (mut rooms, now) = (awake(2, usize::MAX), Instant::now());
        talk_in(&mut rooms, 1, now);
        assert_eq!(rooms.too_many(NEXT), None);
        talk_in(&mut rooms, 2, now);
        rooms.note(key(1), 10, now);
        assert_eq!(rooms.too_many(NEXT), Some(key(2)));
        assert_eq!(rooms.too_many(key(2)), None, "it is awake already");
        rooms.forget(key(2));
        assert_eq!(rooms.too_many(NEXT), None);
    }

    #[test]
    fn a_crowd_that_only_passes_by_takes_no_regulars_place() {
        let (mut rooms, now) = (awake(2 * NEWCOMERS, usize::MAX), Instant::now());
        talk_in(&mut rooms, 1, now);
        for visitor in 2..1000 {
            rooms.note(key(visitor), 10, now);
            while let Some(room) = rooms.too_many(NEXT) {
                assert_ne!(room, key(1));
                assert_eq!(rooms.far_too_many(NEXT), None, "one that talks may go on");
                rooms.forget(room);
            }
        }
        assert_eq!(rooms.len(), 2, "the regular, and the last visitor");
    }

    #[test]
    fn many_rooms_that_begin_to_talk_at_once_soon_stay_awake() {
        let (mut rooms, now) = (awake(10 * NEWCOMERS, usize::MAX), Instant::now());
        let mut have_all_heard = || {
            let mut slept = 0;
            for room in (1..=200).map(key) {
                while let Some(oldest) = rooms.too_many(room) {
                    rooms.sleeps(oldest);
                    slept += 1;
                }
                rooms.note(room, 10, now);
            }
            slept
        };
        assert_eq!(have_all_heard(), 190);
        assert!(have_all_heard() <= 10, "those that were still newcomers");
        assert_eq!(have_all_heard(), 0);
    }

    #[test]
    fn a_room_that_comes_back_after_many_others_is_a_newcomer_again() {
        let (mut rooms, now) = (awake(NEWCOMERS, usize::MAX), Instant::now());
        for room in (0..3).flat_map(|_| 1..1000).map(key) {
            while let Some(oldest) = rooms.too_many(room) {
                rooms.sleeps(oldest);
            }
            rooms.note(room, 10, now);
        }
        assert_eq!(rooms.len(), 1);
    }

    #[test]
    fn where_none_is_quiet_a_regular_makes_room_before_a_newcomer() {
        let (mut rooms, now) = (awake(3, usize::MAX), Instant::now());
        rooms.note(key(1), 10, now);
        talk_in(&mut rooms, 2, now);
        assert_eq!(rooms.far_too_many(NEXT), None);
        rooms.note(key(3), 10, now);
        assert_eq!(rooms.far_too_many(NEXT), Some(key(2)));
        assert_eq!(rooms.far_too_many(key(3)), None, "it is awake already");
        rooms.forget(key(2));
        assert_eq!(rooms.far_too_many(NEXT), None);
    }

    #[test]
    fn large_rooms_make_room_too() {
        let (mut rooms, now) = (awake(1000, 100), Instant::now());
        rooms.note(key(1), 40, now);
        rooms.note(key(2), 40, now);
        assert_eq!(rooms.too_many(NEXT), None);
        rooms.note(key(2), 90, now);
        assert_eq!(rooms.too_many(NEXT), Some(key(1)));
        assert_eq!(rooms.too_many(key(1)), Some(key(2)), "not the one that talks");
        rooms.forget(key(1));
        assert_eq!(rooms.too_many(NEXT), None);
    }

    #[test]
    fn a_room_is_quiet_when_its_time_has_passed() {
        let (mut rooms, now) = (awake(1000, 100), Instant::now());
        let at = |seconds| now + Duration::from_secs(seconds);
        rooms.note(key(1), 1, at(0));
        rooms.note(key(2), 1, at(5));
        talk_in(&mut rooms, 1, at(6));
        assert_eq!(rooms.next_quiet(), Some(at(15)));
        assert_eq!(rooms.quiet(at(14)), None);
        assert_eq!(rooms.quiet(at(15)), Some(key(2)));
        rooms.forget(key(2));
        rooms.note_idle(key(1), 1, at(15));
        assert_eq!(rooms.quiet(at(16)), Some(key(1)), "a turn without an event is none");
    }
}
