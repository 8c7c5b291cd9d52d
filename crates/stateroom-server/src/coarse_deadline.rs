//! A deadline that can be looked at after every message: the clock that the kernel notes at each of its ticks
//! is read in a fifth of the time that the exact one takes, which is only asked when that one says it is time.

use std::time::{Duration, Instant};

/// A moment, no earlier than it was asked for, and later by no more than a tick of the kernel: 1 to 10 ms.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CoarseDeadline {
    /// The tick may have been right before, and the next one may come right after.
    coarse: Duration,
    exact: Instant,
}

impl CoarseDeadline {
    /// So long from now.
    pub(crate) fn after(duration: Duration) -> Self {
        CoarseDeadline { coarse: now() + duration, exact: Instant::now() + duration }
    }

    pub(crate) fn has_passed(self) -> bool {
        now() >= self.coarse && Instant::now() >= self.exact
    }
}

#[cfg(target_os = "linux")]
fn now() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    Duration::try_from(clock_gettime(ClockId::MonotonicCoarse)).unwrap_or_default()
}

#[cfg(not(target_os = "linux"))]
fn now() -> Duration {
    use std::sync::LazyLock;
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed()
}
