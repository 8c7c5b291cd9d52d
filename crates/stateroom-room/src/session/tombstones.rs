//! Sessions that are over: what a client that comes late is told of its own, bounded in number.

use super::key::KeyHash;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// How many sessions that are over one room remembers. The one that ended last is always among them.
pub const MAX_TOMBSTONES: usize = 1_000;

/// The last sessions that ended, in order.
#[derive(Debug, Clone, Default, Hash, Serialize, Deserialize)]
pub(super) struct Tombstones(VecDeque<Tombstone>);

#[derive(Debug, Clone, Copy, Hash, Serialize, Deserialize)]
struct Tombstone {
    key: KeyHash,
    heard: u64,
}

impl Tombstones {
    /// Remembers that a session is over, of which so many messages were heard.
    pub(super) fn add(&mut self, key: KeyHash, heard: u64) {
        self.0.push_back(Tombstone { key, heard });
        while self.0.len() > MAX_TOMBSTONES {
            self.0.pop_front();
        }
    }

    /// How many messages of the session were heard that had this key, if it is remembered.
    pub(super) fn heard(&self, key: KeyHash) -> Option<u64> {
        self.0.iter().rev().find(|tombstone| tombstone.key == key).map(|tombstone| tombstone.heard)
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
            tombstones.add(key(number), number as u64);
        }
        assert_eq!(tombstones.len(), MAX_TOMBSTONES);
        assert_eq!(tombstones.heard(key(0)), None);
        assert_eq!(tombstones.heard(key(1)), Some(1));
        assert_eq!(tombstones.heard(key(MAX_TOMBSTONES)), Some(1_000));
    }
}
