//! A bound on how often something may happen in one second, on all threads together.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct PerSecond {
    most: u64,
    /// The second, in the upper half, and how often it has happened in it.
    count: AtomicU64,
}

impl PerSecond {
    pub(crate) fn new(most: u32) -> Self {
        PerSecond { most: most.into(), count: AtomicU64::new(0) }
    }

    /// Whether it may happen once more in this second, of those since some moment. Then it has.
    pub(crate) fn may(&self, second: u32) -> bool {
        let next = |count: u64| {
            let (of, times) = (count >> 32, count & u64::from(u32::MAX));
            let times = if of == u64::from(second) { times } else { 0 };
            (times < self.most).then(|| (u64::from(second) << 32) | (times + 1))
        };
        self.count.fetch_update(Relaxed, Relaxed, next).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_each_second_it_may_happen_so_often() {
        let bound = PerSecond::new(2);
        let times = [0, 0, 0, 1, 1, 1, 7].map(|second| bound.may(second));
        assert_eq!(times, [true, true, false, true, true, false, true]);
    }
}
