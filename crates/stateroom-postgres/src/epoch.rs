//! Epochs: each claim of a part has one, and no other claim has the same.

use std::fmt;

/// How many of its bits are random.
const RANDOM_BITS: u32 = 32;

/// Names a claim of a part: how many claims the part has had, and 32 random bits.
///
/// Within one history a later claim has the greater one. Random bits are there for two histories of which
/// neither knows of the other, as after a database was restored: there the count alone would repeat.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(i64);

impl Epoch {
    /// That of a part which nobody has claimed yet.
    pub const NONE: Epoch = Epoch(0);

    /// The epoch that the database has given.
    #[must_use]
    pub const fn from_database(number: i64) -> Self {
        Epoch(number)
    }

    /// As a number of the database.
    #[must_use]
    pub const fn number(self) -> i64 {
        self.0
    }

    /// The epoch of the next claim, with these random bits. The database reckons the same.
    #[must_use]
    pub const fn next(self, random: u32) -> Self {
        Epoch(((self.0 >> RANDOM_BITS) + 1) << RANDOM_BITS | random as i64)
    }

    /// How many claims its part had had then.
    #[must_use]
    pub const fn claims(self) -> i64 {
        self.0 >> RANDOM_BITS
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{:08x}", self.claims(), self.0 & 0xffff_ffff)
    }
}

#[cfg(test)]
mod tests {
    use super::Epoch;

    #[test]
    fn a_later_claim_has_a_greater_epoch_whatever_the_random_bits_are() {
        let mut epoch = Epoch::NONE;
        for random in [u32::MAX, 0, 1, u32::MAX, u32::MAX, 0] {
            let next = epoch.next(random);
            assert!(next > epoch);
            assert_eq!(next.claims(), epoch.claims() + 1);
            epoch = next;
        }
    }

    #[test]
    fn two_claims_after_the_same_one_differ() {
        let epoch = Epoch::NONE.next(7);
        assert_ne!(epoch.next(1), epoch.next(2));
        assert_eq!(epoch.to_string(), "1-00000007");
    }
}
