//! Sessions that are over: what a client that comes late is told of its own, bounded in number.

use super::{
    close::{Close, ServiceClose},
    key::KeyHash,
};
use std::collections::VecDeque;

/// How many sessions that are over one room remembers. The one that ended last is always among them.
pub const MAX_TOMBSTONES: usize = 1_000;

/// The last sessions that ended, in order.
#[derive(Debug, Clone, Default, Hash)]
pub(super) struct Tombstones(VecDeque<Tombstone>);

/// One of them.
#[derive(Debug, Clone, Hash)]
pub(super) struct Tombstone {
    pub(super) key: KeyHash,
    /// How many of its messages were heard.
    pub(super) heard: u64,
    /// How the service has closed it, if it has.
    pub(super) closed: Option<ServiceClose>,
}

impl Tombstone {
    /// What its client is told.
    pub(super) fn close(&self) -> Close {
        match &self.closed {
            Some(closed) => Close::Service(closed.clone()),
            None => Close::Ended { heard: Some(self.heard) },
        }
    }
}

impl Tombstones {
    /// Remembers that a session is over, of which so many messages were heard.
    pub(super) fn add(&mut self, key: KeyHash, heard: u64, closed: Option<ServiceClose>) {
        self.0.push_back(Tombstone { key, heard, closed });
        while self.0.len() > MAX_TOMBSTONES {
            self.0.pop_front();
        }
    }

    /// The last session that had this key, if it is remembered.
    pub(super) fn find(&self, key: KeyHash) -> Option<&Tombstone> {
        self.0.iter().rev().find(|tombstone| tombstone.key == key)
    }

    /// All of them, the last one last.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Tombstone> {
        self.0.iter()
    }

    /// The one at this place, the first being 0.
    pub(super) fn get_mut(&mut self, place: u32) -> Option<&mut Tombstone> {
        self.0.get_mut(place as usize)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Key;

    #[test]
    fn the_last_sessions_that_ended_are_remembered() {
        let key = |number: usize| Key::new((number as u128).to_be_bytes()).hash();
        let mut tombstones = Tombstones::default();
        for number in 0..=MAX_TOMBSTONES {
            tombstones.add(key(number), number as u64, None);
        }
        let heard = |number| tombstones.find(key(number)).map(|tombstone| tombstone.heard);
        assert_eq!(tombstones.len(), MAX_TOMBSTONES);
        assert_eq!(heard(0), None);
        assert_eq!(heard(1), Some(1));
        assert_eq!(heard(MAX_TOMBSTONES), Some(1_000));
    }
}
