//! What came of a run.

use crate::{
    Bucket, Latency, Plan,
    tally::{Counts, Tally},
};
use serde::Serialize;
use std::{collections::BTreeMap, time::Duration};

/// What came of a run. `latency` is of the time that was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// What was asked for.
    pub settings: Plan,
    /// What was counted.
    #[serde(flatten)]
    pub counts: Counts,
    /// How long it took to open all connections.
    pub connect_seconds: f64,
    /// How many that is in a second.
    pub connections_per_second: f64,
    /// How long each took to open, in microseconds.
    pub connect_latency: Latency,
    /// How long it was measured.
    pub measured_seconds: f64,
    /// How many messages came in a second.
    pub deliveries_per_second: f64,
    /// From when a message was due to when it came, in microseconds.
    pub latency: Latency,
    /// The same, by how long it took.
    pub histogram: Vec<Bucket>,
    /// What went wrong with connections, and how often.
    pub errors: BTreeMap<String, u64>,
    /// How the generator itself did.
    pub generator: Generator,
}

/// How the generator itself did: whether it, rather than the server, was what was measured.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Generator {
    /// CPU time used while it was measured, of all threads.
    pub cpu_seconds: f64,
    /// How much of the time that its threads had they used: near 1, it was at its limit.
    pub busy: f64,
    /// How late it sent, in microseconds. This is part of the latency.
    pub lateness: Latency,
}

impl Report {
    pub(crate) fn new(plan: &Plan, tally: &Tally, measured: Duration) -> Self {
        let connect_seconds = Duration::from_nanos(tally.connected_at).as_secs_f64();
        let measured_seconds = measured.as_secs_f64();
        let per_second =
            |count: u64, seconds: f64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
        let cpu_seconds = tally.cpu_time.as_secs_f64();
        let threads = u64::from(plan.threads).min(plan.connections());
        Report {
            settings: plan.clone(),
            counts: tally.counts,
            connect_seconds,
            connections_per_second: per_second(tally.counts.connected, connect_seconds),
            connect_latency: tally.opening.latency(),
            measured_seconds,
            deliveries_per_second: per_second(tally.counts.delivered, measured_seconds),
            latency: tally.latency.latency(),
            histogram: tally.latency.buckets(),
            errors: tally.errors.0.clone(),
            generator: Generator {
                cpu_seconds,
                busy: cpu_seconds / (measured_seconds * threads as f64).max(f64::MIN_POSITIVE),
                lateness: tally.lateness.latency(),
            },
        }
    }

    /// Whether every connection was opened and stayed open, and every message came to those who
    /// must hear it, once, in order, and to nobody else.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let Counts { lost, out_of_order, duplicated, stray, unsent, .. } = self.counts;
        lost + out_of_order + duplicated + stray + unsent == 0
            && self.errors.is_empty()
            && self.counts.connected == self.settings.connections()
    }
}
