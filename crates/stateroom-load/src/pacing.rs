//! When each message of an open loop is due, whatever has become of those before it.
//!
//! The senders of a run take turns. A thread has only some of them, and knows of each of their
//! messages when it is due without asking the other threads.

/// The schedule of one thread's senders.
#[derive(Debug)]
pub(crate) struct Pacing {
    /// When the first message of all is due.
    begin: u64,
    /// From when on none is due any more.
    end: u64,
    /// Nanoseconds from one message to the next, of all senders together.
    period: f64,
    /// How many senders the run has.
    senders: u64,
    /// The turns of this thread's senders, from the first to the last.
    turns: Vec<u64>,
    /// Whose turn it is, of those.
    sender: usize,
    /// How often all have had their turn.
    round: u64,
}

impl Pacing {
    /// A schedule of `rate` messages a second of `senders` senders, those of this thread being the
    /// ones in `turns`.
    pub(crate) fn new(rate: f64, senders: u64, turns: Vec<u64>, begin: u64, end: u64) -> Self {
        Pacing { begin, end, period: 1e9 / rate, senders, turns, sender: 0, round: 0 }
    }

    /// When the next message is due; `None` when there is none any more.
    pub(crate) fn next_due(&self) -> Option<u64> {
        let turn = self.turns.get(self.sender)?;
        let before = self.round * self.senders + turn;
        let due = self.begin + (before as f64 * self.period) as u64;
        (due < self.end).then_some(due)
    }

    /// A message that is due by `now`: whose, and since when. Each call tells of another one.
    pub(crate) fn take(&mut self, now: u64) -> Option<(usize, u64)> {
        let (sender, due) = (self.sender, self.next_due().filter(|due| *due <= now)?);
        self.sender += 1;
        if self.sender == self.turns.len() {
            self.sender = 0;
            self.round += 1;
        }
        Some((sender, due))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senders_take_turns_at_the_rate_that_was_asked_for() {
        // 1,000 a second of four senders, two of which are here.
        let mut pacing = Pacing::new(1000.0, 4, vec![1, 3], 5_000_000, 15_000_000);
        assert_eq!(pacing.next_due(), Some(6_000_000));
        assert_eq!(pacing.take(5_999_999), None);
        assert_eq!(pacing.take(6_000_000), Some((0, 6_000_000)));
        assert_eq!(pacing.take(6_000_000), None);
        // However late it is, each message keeps the time it was due.
        let late: Vec<_> = std::iter::from_fn(|| pacing.take(1_000_000_000)).collect();
        let due = [8_000_000, 10_000_000, 12_000_000, 14_000_000];
        assert_eq!(late, [(1, due[0]), (0, due[1]), (1, due[2]), (0, due[3])]);
        assert_eq!(pacing.next_due(), None);
    }

    #[test]
    fn the_rate_does_not_drift() {
        let mut pacing = Pacing::new(3.0, 1, vec![0], 0, u64::MAX);
        pacing.round = 3_000_000;
        assert_eq!(pacing.next_due(), Some(1_000_000 * 1_000_000_000));
    }

    #[test]
    fn a_thread_without_senders_has_nothing_to_send() {
        let mut pacing = Pacing::new(1000.0, 4, vec![], 0, u64::MAX);
        assert_eq!(pacing.next_due(), None);
        assert_eq!(pacing.take(u64::MAX), None);
    }
}
