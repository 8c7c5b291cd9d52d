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

    /// When the message `number` of the thread's sender `sender` is due.
    pub(crate) fn due(&self, sender: usize, number: u64) -> u64 {
        let turn = self.turns.get(sender).copied().unwrap_or(0);
        let before = number * self.senders + turn;
        self.begin + (before as f64 * self.period) as u64
    }

    /// When the next message is due; `None` when there is none any more.
    pub(crate) fn next_due(&self) -> Option<u64> {
        let due = self.due(self.sender, self.round);
        (due < self.end && !self.turns.is_empty()).then_some(due)
    }

    /// The sender that has a message to send by `now`. Each call tells of another message.
    pub(crate) fn take(&mut self, now: u64) -> Option<usize> {
        let sender = self.sender;
        if self.next_due()? > now {
            return None;
        }
        self.sender += 1;
        if self.sender == self.turns.len() {
            self.sender = 0;
            self.round += 1;
        }
        Some(sender)
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
        assert_eq!(pacing.take(6_000_000), Some(0));
        assert_eq!(pacing.take(6_000_000), None);
        // However late it is, each message keeps the time it was due.
        assert_eq!(pacing.due(1, 0), 8_000_000);
        assert_eq!(pacing.due(0, 1), 10_000_000);
        let late: Vec<_> = std::iter::from_fn(|| pacing.take(1_000_000_000)).collect();
        assert_eq!(late, [1, 0, 1, 0]);
        assert_eq!(pacing.next_due(), None);
    }

    #[test]
    fn the_rate_does_not_drift() {
        let pacing = Pacing::new(3.0, 1, vec![0], 0, u64::MAX);
        assert_eq!(pacing.due(0, 3_000_000), 1_000_000 * 1_000_000_000);
    }

    #[test]
    fn a_thread_without_senders_has_nothing_to_send() {
        let mut pacing = Pacing::new(1000.0, 4, vec![], 0, u64::MAX);
        assert_eq!(pacing.next_due(), None);
        assert_eq!(pacing.take(u64::MAX), None);
    }
}
