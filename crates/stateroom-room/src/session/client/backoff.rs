//! When a client connects again: at once, and then later and later.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(300);
const LONGEST: Duration = Duration::from_secs(10);

/// How often a client has tried in vain.
#[derive(Debug, Clone, Copy, Default, Hash)]
pub(super) struct Backoff {
    tries: u32,
}

impl Backoff {
    /// How long to wait before the next try. `random` is a number that no other client has: the wait is
    /// between half of what it could be and all of it.
    pub(super) fn next(&mut self, random: u32) -> Duration {
        let tries = self.tries;
        self.tries = tries.saturating_add(1);
        if tries == 0 {
            return Duration::ZERO;
        }
        let longest = FIRST.saturating_mul(2_u32.saturating_pow(tries - 1)).min(LONGEST);
        longest / 2 + (longest / 2).mul_f64(f64::from(random) / f64::from(u32::MAX))
    }

    /// Does not try at once.
    pub(super) fn not_at_once(&mut self) {
        self.tries = self.tries.max(1);
    }
}
