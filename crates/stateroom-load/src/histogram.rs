//! Spreads of times: recorded in nanoseconds, reported in microseconds.

use hdrhistogram::Histogram;
use serde::Serialize;

/// The longest time that is told from longer ones: ten minutes, in nanoseconds.
const LONGEST: u64 = 600_000_000_000;
const DIGITS: u8 = 3;

/// Times as they are recorded.
#[derive(Debug)]
pub(crate) struct Times(Histogram<u64>);

impl Default for Times {
    fn default() -> Self {
        // Bounds that the crate takes: a test makes one.
        Times(Histogram::new_with_bounds(1, LONGEST, DIGITS).expect("valid bounds"))
    }
}

impl Times {
    #[inline]
    pub(crate) fn note(&mut self, nanos: u64) {
        self.0.saturating_record(nanos);
    }

    pub(crate) fn merge(&mut self, other: &Times) {
        // Both have the same bounds, so that it cannot fail.
        let _ = self.0.add(&other.0);
    }

    /// What is told of them.
    pub(crate) fn latency(&self) -> Latency {
        // To the nanosecond, as they were recorded.
        let micros = |nanos: u64| nanos as f64 / 1000.0;
        let at = |part: f64| {
            if self.0.is_empty() { 0.0 } else { micros(self.0.value_at_quantile(part)) }
        };
        Latency {
            count: self.0.len(),
            mean: if self.0.is_empty() { 0.0 } else { self.0.mean().round() / 1000.0 },
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: micros(self.0.max()),
        }
    }

    /// How many there are in each stretch, from the shortest that occurs to the longest. Each
    /// stretch is twice as long as the one before.
    pub(crate) fn buckets(&self) -> Vec<Bucket> {
        let mut buckets: Vec<Bucket> = Vec::new();
        if self.0.is_empty() {
            return buckets;
        }
        for step in self.0.iter_log(1000, 2.0) {
            let up_to = (step.value_iterated_to() + 1) as f64 / 1000.0;
            let count = step.count_since_last_iteration();
            if count > 0 || !buckets.is_empty() {
                buckets.push(Bucket { up_to, count });
            }
        }
        while buckets.last().is_some_and(|bucket| bucket.count == 0) {
            buckets.pop();
        }
        buckets
    }
}

/// The spread of some times, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Latency {
    /// How many there were.
    pub count: u64,
    /// Their mean.
    pub mean: f64,
    /// Half took at most this long.
    pub p50: f64,
    /// 9 of 10 took at most this long.
    pub p90: f64,
    /// 99 of 100 took at most this long.
    pub p99: f64,
    /// 999 of 1000 took at most this long.
    pub p999: f64,
    /// None took longer.
    pub max: f64,
}

/// One bar of a histogram.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bucket {
    /// The longest time that counts here, in microseconds.
    pub up_to: f64,
    /// How many took longer than those of the bar before, and at most so long.
    pub count: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_right_to_a_thousandth_and_outliers_are_kept() {
        let mut times = Times::default();
        for micros in 1..=1000_u64 {
            times.note(micros * 1000);
        }
        times.note(u64::MAX);
        let latency = times.latency();
        let near = |value: f64, wanted: f64| (value / wanted - 1.0).abs() < 0.002;
        assert!(near(latency.p50, 501.0) && near(latency.p99, 991.0), "{latency:?}");
        assert!(near(latency.max, 600_000_000.0), "{latency:?}");
        assert_eq!(latency.count, 1001);
    }

    #[test]
    fn bars_hold_all_and_double() {
        let mut times = Times::default();
        for nanos in [900, 3_000, 3_500, 70_000] {
            times.note(nanos);
        }
        let buckets = times.buckets();
        assert_eq!(buckets.iter().map(|bucket| bucket.count).sum::<u64>(), 4);
        for pair in buckets.windows(2) {
            assert!((pair[1].up_to / pair[0].up_to - 2.0).abs() < 0.01, "{buckets:?}");
        }
        assert_eq!(Times::default().buckets(), []);
        assert_eq!(Times::default().latency(), Latency::default());
    }
}
