//! When a client connects again: at once, and then later and later.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(300);
const LONGEST: Duration = Duration::from_secs(10);

/// A connection that has lasted so long was a good one.
const STABLE: Duration = Duration::from_secs(5);

/// How many tries in vain count at most once one has led to a welcome: the next waits for 0.6 s at most.
const AFTER_WELCOME: u32 = 2;

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

    /// Notes that a connection was lost, so long after its welcome. One that is lost again and again, as to a room that
    /// fails at once, is not made again at once.
    pub(super) fn was_welcomed(&mut self, ago: Duration) {
        self.tries = if ago >= STABLE { 0 } else { self.tries.min(AFTER_WELCOME) };
    }

    /// Does not try at once.
    pub(super) fn not_at_once(&mut self) {
        self.tries = self.tries.max(1);
    }
}
