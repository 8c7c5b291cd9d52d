//! The ownership of a part: it begins with a claim, lasts while each record follows the one before, and ends for good
//! with the first one of which it is not known.

use crate::Epoch;

/// Where a record goes: after the one before, which must have the same epoch.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The position of the record.
    pub seq: i64,
    /// Its epoch, and that of the record before.
    pub epoch: Epoch,
}

/// The ownership of one part. It is made by an acknowledged claim only, and there is no way back from
/// [`Lost`](State::Lost): a new claim makes a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ownership {
    /// The position of the newest record that is known to be durable.
    last: i64,
    epoch: Epoch,
    state: State,
}

/// What an owner does.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Everything is settled.
    Claimed,
    /// One record is on its way.
    Appending,
    /// It is the owner no more.
    Lost,
}

impl Ownership {
    /// After a claim that was acknowledged, at the position that the claim has.
    #[must_use]
    pub fn claimed(Place { seq, epoch }: Place) -> Self {
        Ownership { last: seq, epoch, state: State::Claimed }
    }

    /// What it does.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// The position and epoch of the newest record that is known to be durable.
    #[must_use]
    pub fn last(&self) -> Place {
        Place { seq: self.last, epoch: self.epoch }
    }

    /// Where the next record goes, which is on its way from now on. `None` while another one is, or when it is lost.
    pub fn append(&mut self) -> Option<Place> {
        let seq = self.last.checked_add(1)?;
        (self.state == State::Claimed).then(|| {
            self.state = State::Appending;
            Place { seq, epoch: self.epoch }
        })
    }

    /// The record that is on its way is durable: gives its position. `None` when none is.
    pub fn appended(&mut self) -> Option<i64> {
        (self.state == State::Appending).then(|| {
            self.state = State::Claimed;
            self.last += 1;
            self.last
        })
    }

    /// Ends it.
    pub fn lose(&mut self) {
        self.state = State::Lost;
    }
}

#[cfg(test)]
mod tests {
    use super::{Ownership, Place, State};
    use crate::Epoch;

    const EPOCH: Epoch = Epoch::NONE.next(7);

    fn claimed(seq: i64) -> Ownership {
        Ownership::claimed(Place { seq, epoch: EPOCH })
    }

    #[test]
    fn records_follow_the_claim_one_by_one_with_its_epoch() {
        let mut part = claimed(4);
        for seq in 5..10 {
            assert_eq!(part.append(), Some(Place { seq, epoch: EPOCH }));
            assert_eq!(part.append(), None, "one is on its way");
            assert_eq!(part.appended(), Some(seq));
            assert_eq!(part.appended(), None, "it was told");
        }
    }

    #[test]
    fn what_is_lost_stays_lost() {
        let mut part = claimed(4);
        part.append();
        part.lose();
        assert_eq!((part.appended(), part.append()), (None, None));
        assert_eq!((part.state(), part.last().seq), (State::Lost, 4));
    }

    #[test]
    fn nothing_follows_the_greatest_position() {
        assert_eq!(claimed(i64::MAX).append(), None);
    }
}
