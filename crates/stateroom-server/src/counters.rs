//! What has happened, counted where it happens: plain numbers of a thread's own, so that to count costs a
//! message an addition.
//!
//! A shard passes on what its thread has counted once in each round of its loop, see [`Totals`]. The thread of
//! a room that was busy for so long that its shard went on without it sends it there when it ends.

use crate::lock::lock;
use std::{cell::RefCell, sync::Mutex, time::Duration};

thread_local! {
    static COUNTERS: RefCell<Counters> = const { RefCell::new(Counters::ZERO) };
}

/// Counts something, on this thread.
pub(crate) fn add(count: impl FnOnce(&mut Counters)) {
    // A thread that is ending counts nothing any more.
    let _ = COUNTERS.try_with(|all| all.try_borrow_mut().map(|mut all| count(&mut all)));
}

/// Takes what this thread has counted, to pass it on.
pub(crate) fn take() -> Counters {
    let mut all = Counters::ZERO;
    add(|counters| all = std::mem::replace(counters, Counters::ZERO));
    all
}

/// Defines the numbers, and how two of them become one.
macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident: $type:ty,)*) => {
        /// Numbers that have been counted. Those of what there is now, rather than of what has happened, may
        /// be negative on one thread: they are to be added up, modulo 2^64.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(crate) struct Counters { $($(#[$doc])* pub(crate) $name: $type,)* }

        impl Counters {
            const ZERO: Counters = Counters { $($name: <$type as Count>::ZERO,)* };

            /// Adds what somebody else has counted.
            pub(crate) fn merge(&mut self, other: &Counters) {
                $(self.$name.merge(&other.$name);)*
            }
        }
    };
}

counters! {
    /// Events that rooms have heard.
    events: u64,
    /// Events of which it is known how long they took, see [`Counters::turn_ended`].
    timed: u64,
    /// How long it took from when a room's turn began until all that followed from what it heard was written,
    /// or waited for the store.
    event_latency: Histogram,
    /// How long it took from when an event was heard until it was durable.
    durable_latency: Histogram,
    /// Bytes read from clients.
    bytes_in: u64,
    /// Bytes of frames for clients, once for each receiver.
    bytes_out: u64,
    /// Messages for clients, once for each receiver.
    deliveries: u64,
    /// Bytes that wait for clients to read, now.
    queued_bytes: u64,
    /// Bytes of events that have been heard and are not durable yet, now.
    undurable_bytes: u64,
    /// How long rooms took to hear events: mostly what their services computed. In nanoseconds.
    hearing_nanoseconds: u64,
    /// Groups that were committed.
    commits: u64,
    /// Bytes in them.
    committed_bytes: u64,
    /// States of rooms that were saved.
    snapshots: u64,
    /// Bytes in them.
    snapshot_bytes: u64,
    /// Rooms that were brought back.
    replays: u64,
    /// Events that they heard again.
    replayed_events: u64,
    /// How long it took to bring them back, in nanoseconds.
    replay_nanoseconds: u64,
}

impl Counters {
    /// Notes that the turn is over in which all events were heard that were counted since the last one ended.
    pub(crate) fn turn_ended(&mut self, took: Duration) {
        let events = self.events.saturating_sub(self.timed);
        self.timed = self.events;
        if events > 0 {
            self.event_latency.add(took, events);
        }
    }
}

trait Count {
    const ZERO: Self;

    fn merge(&mut self, other: &Self);
}

impl Count for u64 {
    const ZERO: u64 = 0;

    fn merge(&mut self, other: &u64) {
        *self = self.wrapping_add(*other);
    }
}

/// How many buckets a histogram has: from 1 µs to 2^23 µs, which is 8 s; the last has all that is longer.
const BUCKETS: usize = 25;

/// How often something took how long, by powers of two of microseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Histogram {
    buckets: [u64; BUCKETS],
    nanoseconds: u64,
}

impl Histogram {
    /// Notes that something took so long, `times` times.
    pub(crate) fn add(&mut self, time: Duration, times: u64) {
        let microseconds = u64::try_from(time.as_nanos().div_ceil(1000)).unwrap_or(u64::MAX);
        // The smallest power of two that is not less.
        let power = microseconds.saturating_sub(1).checked_ilog2().map_or(0, |power| power + 1);
        if let Some(bucket) = self.buckets.get_mut((power as usize).min(BUCKETS - 1)) {
            *bucket += times;
        }
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds = self.nanoseconds.saturating_add(nanoseconds.saturating_mul(times));
    }

    /// The number of those that took at most so many seconds, and longer than the bucket before says; the
    /// last is for ever.
    pub(crate) fn buckets(&self) -> Vec<(f64, u64)> {
        let seconds = |power: usize| match power {
            24.. => f64::MAX,
            power => (1_u64 << power) as f64 / 1e6,
        };
        self.buckets.iter().enumerate().map(|(power, count)| (seconds(power), *count)).collect()
    }

    /// How many there were, and how many seconds they took together.
    pub(crate) fn summary(&self) -> (u64, f64) {
        (self.buckets.iter().sum(), self.nanoseconds as f64 / 1e9)
    }
}

impl Count for Histogram {
    const ZERO: Histogram = Histogram { buckets: [0; BUCKETS], nanoseconds: 0 };

    fn merge(&mut self, other: &Histogram) {
        for (bucket, other) in self.buckets.iter_mut().zip(&other.buckets) {
            *bucket += other;
        }
        self.nanoseconds = self.nanoseconds.saturating_add(other.nanoseconds);
    }
}

/// What all threads of a server have counted.
#[derive(Debug)]
pub(crate) struct Totals {
    /// By shard, and the last for all other threads: each is written to by one thread, and read by who asks.
    counted: Box<[Mutex<Counters>]>,
}

impl Totals {
    pub(crate) fn new(shards: usize) -> Self {
        Totals { counted: (0..=shards).map(|_| Mutex::new(Counters::ZERO)).collect() }
    }

    /// Takes over what this thread has counted: that of the shard of this number, or, for a number past all
    /// of theirs, another one.
    pub(crate) fn collect(&self, shard: usize) {
        add(|counters| {
            if let Some(counted) = self.counted.get(shard).or(self.counted.last())
                && *counters != Counters::ZERO
            {
                lock(counted).merge(counters);
                *counters = Counters::ZERO;
            }
        });
    }

    /// All that was counted.
    pub(crate) fn all(&self) -> Counters {
        let mut all = Counters::ZERO;
        self.counted.iter().for_each(|counted| all.merge(&lock(counted)));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_threads_count_adds_up() {
        let totals = Totals::new(2);
        std::thread::scope(|scope| {
            for shard in 0..2 {
                let totals = &totals;
                scope.spawn(move || {
                    for _ in 0..10 {
                        add(|counters| {
                            counters.events += 2;
                            counters.queued_bytes = counters.queued_bytes.wrapping_sub(3);
                        });
                        totals.collect(shard);
                    }
                });
            }
        });
        add(|counters| counters.queued_bytes += 61);
        totals.collect(usize::MAX);
        let all = totals.all();
        assert_eq!((all.events, all.queued_bytes), (40, 1));
        assert_eq!(take(), Counters::ZERO);
    }

    #[test]
    fn a_time_falls_in_the_first_bucket_that_is_not_shorter() {
        let mut histogram = Histogram::ZERO;
        for (microseconds, times) in [(0, 1), (1, 1), (2, 1), (3, 1), (4, 1), (5, 7), (1 << 40, 2)]
        {
            histogram.add(Duration::from_micros(microseconds), times);
        }
        let buckets = histogram.buckets();
        assert_eq!(buckets[..4], [(1e-6, 2), (2e-6, 1), (4e-6, 2), (8e-6, 7)]);
        assert_eq!(buckets.last(), Some(&(f64::MAX, 2)));
        assert_eq!(histogram.summary().0, 14);
    }

    #[test]
    fn a_turn_is_counted_once_for_each_event_that_was_heard_in_it() {
        let mut counters = Counters::ZERO;
        counters.turn_ended(Duration::from_millis(1));
        counters.events += 3;
        counters.turn_ended(Duration::from_millis(1));
        counters.turn_ended(Duration::from_millis(1));
        assert_eq!(counters.event_latency.summary(), (3, 0.003));
    }
}
