//! The parts of the log: each room belongs to one of them, and each has one owner at a time.

use sha2::{Digest, Sha256};
use std::fmt;

/// How many parts there are.
pub const PARTS: u16 = 256;

/// One of the [`PARTS`] parts of the log.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Part(u16);

impl Part {
    /// The part with that number; `None` if there is none.
    #[must_use]
    pub fn new(number: u16) -> Option<Self> {
        (number < PARTS).then_some(Part(number))
    }

    /// The part that a room belongs to: the first byte of the SHA-256 of its id. It never changes, since what is
    /// kept of the room lies there.
    ///
    /// ```
    /// # use stateroom_postgres::Part;
    /// assert_eq!(Part::of_room("lobby").number(), 75);
    /// ```
    #[must_use]
    pub fn of_room(room: &str) -> Self {
        let [first, ..] = <[u8; 32]>::from(Sha256::digest(room));
        Part(u16::from(first))
    }

    /// All parts, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..PARTS).map(Part)
    }

    /// Its number, as the database has it.
    pub(crate) fn column(self) -> i16 {
        i16::try_from(self.0).unwrap_or(i16::MAX)
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::{PARTS, Part};
    use std::collections::HashSet;

    #[test]
    fn rooms_are_spread_over_all_parts() {
        let parts: HashSet<Part> =
            (0..5_000).map(|number| Part::of_room(&format!("room {number}"))).collect();
        assert_eq!(parts.len(), usize::from(PARTS));
        assert_eq!(Part::of_room("lobby"), Part::of_room("lobby"));
    }

    #[test]
    fn there_are_as_many_parts_as_a_byte_has_values() {
        assert_eq!(Part::all().count(), usize::from(PARTS));
        assert_eq!(Part::new(PARTS), None);
        assert_eq!(Part::new(255).map(Part::number), Some(255));
    }
}
