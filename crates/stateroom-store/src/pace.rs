//! How much is appended while the checkpoint lags: less and less, the further it lags; and how long an append
//! waits for that, which is never long.

use std::time::Duration;

/// The longest that one append waits.
pub(crate) const LONGEST: Duration = Duration::from_millis(20);

/// While the checkpoint cannot go on, nothing more is written when so many files wait for it.
pub(crate) const MOST_FILES: u64 = 3;

/// So many bytes a second are let through when it begins to lag.
const QUICKEST: f64 = 400e6;

/// And a hundredth of that when the bound is reached: less than any disk gives back.
const SLOWEST: f64 = 4e6;

/// How many bytes a second may be appended when `behind` bytes are not checkpointed or not given back yet, of
/// files of the log of `segment` bytes; `None` says that it may be any number.
pub(crate) fn rate(behind: u64, segment: u64) -> Option<f64> {
    let over = (behind as f64 / segment.max(1) as f64 - 1.25) / 0.75;
    (over > 0.0).then(|| QUICKEST * (SLOWEST / QUICKEST).powf(over.min(1.0)))
}

/// How long an append of `bytes` waits at this rate. What is more than fits in that is for others to hold back,
/// see [`Store::rate`](crate::Store::rate).
pub(crate) fn delay(rate: f64, bytes: u64) -> Duration {
    Duration::from_secs_f64(bytes as f64 / rate).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appends_slow_down_gradually_and_never_wait_long() {
        let delay = |behind: u64| {
            rate(behind << 20, 16 << 20).map_or(Duration::ZERO, |rate| delay(rate, 100_000))
        };
        assert_eq!(delay(20), Duration::ZERO);
        let delays: Vec<Duration> = (21..=40).map(delay).collect();
        assert!(delays.is_sorted(), "{delays:?}");
        assert!(delays[0] < Duration::from_millis(1), "{delays:?}");
        assert_eq!(delay(1000), LONGEST);
        assert_eq!(rate(20 << 20, 16 << 20), None);
        assert_eq!(rate(1000 << 20, 16 << 20), Some(SLOWEST));
    }
}
