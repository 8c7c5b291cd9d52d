//! What a thread counts while it works.

use crate::{arrivals::Arrival, errors_by_kind::ErrorsByKind, histogram::Times};
use serde::Serialize;
use std::{
    ops::{AddAssign, Range},
    time::Duration,
};

/// What is counted of connections and messages. `sent` and `delivered` are of the time that was
/// measured, all else of the whole run.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Counts {
    /// Connections that were opened.
    pub connected: u64,
    /// Connections that are open.
    #[serde(rename = "open_at_end")]
    pub open: u64,
    /// Connections that have failed.
    #[serde(skip)]
    pub failed: u64,
    /// Messages that were sent.
    pub sent: u64,
    /// Messages that came.
    pub delivered: u64,
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
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.connected += other.connected;
        self.open += other.open;
        self.failed += other.failed;
        self.sent += other.sent;
        self.delivered += other.delivered;
        self.total_sent += other.total_sent;
        self.total_delivered += other.total_delivered;
        self.lost += other.lost;
        self.out_of_order += other.out_of_order;
        self.duplicated += other.duplicated;
        self.stray += other.stray;
        self.unstamped += other.unstamped;
        self.unsent += other.unsent;
    }
}

/// What a thread has counted.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) counts: Counts,
    /// What is measured: from when to when.
    pub(crate) measured: Range<u64>,
    /// Deliveries that ought to follow from what was sent, and are verified.
    pub(crate) expected: u64,
    /// Deliveries that were not duplicates.
    pub(crate) fresh: u64,
    /// When the last connection was open.
    pub(crate) connected_at: u64,
    pub(crate) latency: Times,
    pub(crate) opening: Times,
    /// How late messages were sent: the generator's own part of their latency.
    pub(crate) lateness: Times,
    pub(crate) errors: ErrorsByKind,
    /// Used while it was measured.
    pub(crate) cpu_time: Duration,
}

impl Tally {
    /// Notes a message that came at `now`, and was due at `due`.
    #[inline]
    pub(crate) fn arrived(&mut self, arrival: Arrival, due: u64, now: u64) {
        match arrival {
            Arrival::New => {}
            Arrival::OutOfOrder => self.counts.out_of_order += 1,
            Arrival::Duplicate => {
                self.counts.duplicated += 1;
                return;
            }
            Arrival::Stray => {
                self.counts.stray += 1;
                return;
            }
        }
        self.fresh += 1;
        if self.measured.contains(&due) {
            self.latency.note(now.saturating_sub(due));
        }
    }

    /// Notes that `count` messages came together at `now`.
    #[inline]
    pub(crate) fn delivered(&mut self, count: u64, now: u64) {
        self.counts.total_delivered += count;
        if self.measured.contains(&now) {
            self.counts.delivered += count;
        }
    }

    /// Notes a message that was due at `due`, sent at `now`, and ought to be heard by `hearers`.
    #[inline]
    pub(crate) fn sent(&mut self, due: u64, now: u64, hearers: u64) {
        self.counts.total_sent += 1;
        self.expected += hearers;
        if self.measured.contains(&due) {
            self.counts.sent += 1;
            self.lateness.note(now.saturating_sub(due));
        }
    }

    /// Adds what another thread counted.
    pub(crate) fn merge(&mut self, other: &Tally) {
        self.counts += other.counts;
        self.connected_at = self.connected_at.max(other.connected_at);
        self.latency.merge(&other.latency);
        self.opening.merge(&other.opening);
        self.lateness.merge(&other.lateness);
        self.errors.merge(&other.errors);
        self.cpu_time += other.cpu_time;
    }
}
