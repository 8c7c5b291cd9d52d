//! How many requests wait for their rooms, or to be sent their answer: bounded in number and bytes, in each room and in the server.

use crate::lock::lock;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

/// Those of one room may be this part of all.
const PART_OF_A_ROOM: usize = 8;

/// Together they may take as much as so many of the largest.
const LARGEST_ONES: usize = 64;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Waiting {
    most: usize,
    most_bytes: usize,
    now: Mutex<Now>,
}

#[derive(Debug, Default)]
struct Now {
    count: usize,
    bytes: usize,
    rooms: HashMap<Arc<str>, usize>,
}

/// The place of one of them, until this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    of: Arc<Waiting>,
    room: Arc<str>,
    bytes: usize,
}

impl Waiting {
    /// At most so many, each of at most so many bytes.
    pub(crate) fn new(most: usize, largest: usize) -> Self {
        let most_bytes = largest.saturating_mul(LARGEST_ONES);
        Waiting { most, most_bytes, now: Mutex::default() }
    }

    /// Takes a place for a request to this room; `None` if there is none.
    pub(super) fn take(self: &Arc<Self>, room: &Arc<str>, bytes: usize) -> Option<Place> {
        let mut now = lock(&self.now);
        let here = now.rooms.get(room).copied().unwrap_or(0);
        let fits = now.count < self.most
            && here < (self.most / PART_OF_A_ROOM).max(1)
            && now.bytes.saturating_add(bytes) <= self.most_bytes;
        if !fits {
            return None;
        }
        now.count += 1;
        now.bytes += bytes;
        now.rooms.insert(room.clone(), here + 1);
        Some(Place { of: self.clone(), room: room.clone(), bytes })
    }
}

impl Place {
    /// Takes up so many bytes from now on: where that is too many, there is no place for others meanwhile.
    pub(super) fn hold(&mut self, bytes: usize) {
        let mut now = lock(&self.of.now);
        now.bytes = now.bytes.saturating_sub(self.bytes).saturating_add(bytes);
        self.bytes = bytes;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut now = lock(&self.of.now);
        now.count -= 1;
        now.bytes -= self.bytes;
        match now.rooms.get_mut(&self.room) {
            Some(here) if *here > 1 => *here -= 1,
            _ => {
                now.rooms.remove(&self.room);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_places_for_so_many_and_so_many_bytes_and_they_come_back() {
        let waiting = Arc::new(Waiting::new(16, 10));
        let (one, other): (Arc<str>, Arc<str>) = ("one".into(), "other".into());
        let first = waiting.take(&one, 600).unwrap();
        let second = waiting.take(&one, 0).unwrap();
        assert!(waiting.take(&one, 0).is_none(), "an eighth of all is for one room");
        assert!(waiting.take(&other, 41).is_none());
        let third = waiting.take(&other, 40).unwrap();
        drop((first, second));
        let mut answered = waiting.take(&one, 0).unwrap();
        answered.hold(601);
        assert!(waiting.take(&other, 0).is_none(), "an answer that is too large has all places");
        drop(answered);
        assert!(waiting.take(&one, 600).is_some());
        drop(third);
        let now = lock(&waiting.now);
        assert_eq!((now.count, now.bytes, now.rooms.len()), (0, 0, 0));
    }

    #[test]
    fn there_are_never_more_than_all() {
        let waiting = Arc::new(Waiting::new(16, 10));
        let rooms: Vec<Arc<str>> = (0..20).map(|room| room.to_string().into()).collect();
        let places: Vec<_> = rooms.iter().filter_map(|room| waiting.take(room, 1)).collect();
        assert_eq!(places.len(), 16);
    }
}
