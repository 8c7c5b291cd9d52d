//! What a client owes a server that wants to know how much of what it sent has come.

/// How long a server is left in the dark, in nanoseconds.
const LONGEST: u64 = 1_000_000_000;
/// After how much, in bytes, it is told at once.
const MOST_BYTES: usize = 64 * 1024;

/// What one client has got, and told of.
#[derive(Debug, Default)]
pub(crate) struct Receipts {
    count: u64,
    /// Of those that it has not told of.
    bytes: usize,
    /// When the first of them came.
    since: Option<u64>,
}

impl Receipts {
    /// Notes that a message of so many bytes has come.
    #[inline]
    pub(crate) fn note(&mut self, bytes: usize) {
        self.count += 1;
        self.bytes += bytes;
    }

    /// How many have come, if that is to be told now.
    #[inline]
    pub(crate) fn due(&mut self, now: u64) -> Option<u64> {
        if self.bytes == 0 {
            return None;
        }
        let since = *self.since.get_or_insert(now);
        if self.bytes < MOST_BYTES && now.saturating_sub(since) < LONGEST {
            return None;
        }
        (self.bytes, self.since) = (0, None);
        Some(self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn much_is_told_of_at_once_and_little_after_a_second() {
        let mut receipts = Receipts::default();
        assert_eq!(receipts.due(0), None);
        receipts.note(10);
        assert_eq!(receipts.due(5), None);
        receipts.note(10);
        assert_eq!(receipts.due(5 + LONGEST), Some(2));
        assert_eq!(receipts.due(5 + 2 * LONGEST), None);
        receipts.note(MOST_BYTES);
        assert_eq!(receipts.due(6 + 2 * LONGEST), Some(3));
    }
}
