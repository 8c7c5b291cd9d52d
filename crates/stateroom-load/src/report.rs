//! What came of a run.

use crate::{Bucket, Latency, Plan, tally::Tally};
use serde::Serialize;
use std::{collections::BTreeMap, time::Duration};

/// What came of a run. `lost`, `out_of_order`, `duplicated` and `stray` are of the whole run;
/// `sent`, `delivered` and `latency` of the time that was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// What was asked for.
    pub settings: Plan,
    /// How many connections were opened.
    pub connected: u64,
    /// How long that took.
    pub connect_seconds: f64,
    /// How many that is in a second.
    pub connections_per_second: f64,
    /// How long each took to open, in microseconds.
    pub connect_latency: Latency,
    /// How many were open at the end.
    pub open_at_end: u64,
    /// How long it was measured.
    pub measured_seconds: f64,
    /// Messages that were sent.
    pub sent: u64,
    /// Messages that came.
    pub delivered: u64,
    /// How many came in a second.
    pub deliveries_per_second: f64,
    /// Messages sent, from the start of the warm-up on.
    pub total_sent: u64,
    /// Messages that came, with those without a stamp, until all had come or none came any more.
    pub total_delivered: u64,
    /// Messages that were sent and did not come.
    pub lost: u64,
    /// Messages that came after one that was sent after them.
    pub out_of_order: u64,
    /// Messages that came again.
    pub duplicated: u64,
    /// Messages that came to someone who must not hear them.
    pub stray: u64,
    /// Messages without a stamp, which are the server's own or those of a script.
    pub unstamped: u64,
    /// Messages that were due, and could not be sent because the server did not read.
    pub unsent: u64,
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
            connected: tally.connected,
            connect_seconds,
            connections_per_second: per_second(tally.connected, connect_seconds),
            connect_latency: tally.opening.latency(),
            open_at_end: tally.open,
            measured_seconds,
            sent: tally.sent,
            delivered: tally.delivered,
            deliveries_per_second: per_second(tally.delivered, measured_seconds),
            total_sent: tally.total_sent,
            total_delivered: tally.total_delivered,
            lost: tally.lost,
            out_of_order: tally.out_of_order,
            duplicated: tally.duplicated,
            stray: tally.stray,
            unstamped: tally.unstamped,
            unsent: tally.unsent,
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
        let faults = self.lost + self.out_of_order + self.duplicated + self.stray + self.unsent;
        faults == 0 && self.errors.is_empty() && self.connected == self.settings.connections()
    }
}
