//! A deadline that can be looked at after every message: the clock that the kernel notes at each of its ticks
//! is read in a fifth of the time that the exact one takes.

use std::time::Duration;

/// A moment, to within a tick of the kernel: 1 to 10 ms either way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CoarseDeadline(Duration);

impl CoarseDeadline {
    /// So long from now.
    pub(crate) fn after(duration: Duration) -> Self {
        CoarseDeadline(now() + duration)
    }

    pub(crate) fn has_passed(self) -> bool {
        now() >= self.0
    }
}

#[cfg(target_os = "linux")]
fn now() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    Duration::try_from(clock_gettime(ClockId::MonotonicCoarse)).unwrap_or_default()
}

#[cfg(not(target_os = "linux"))]
fn now() -> Duration {
    use std::{sync::LazyLock, time::Instant};
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed()
}
