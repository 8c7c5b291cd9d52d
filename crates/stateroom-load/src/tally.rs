//! What a thread counts while it works.

use crate::{arrivals::Arrival, errors_by_kind::ErrorsByKind, histogram::Times};
use std::{ops::Range, time::Duration};

/// What a thread has counted.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// What is measured: from when to when.
    pub(crate) measured: Range<u64>,
    pub(crate) total_sent: u64,
    /// Those sent while it was measured.
    pub(crate) sent: u64,
    /// Deliveries that ought to follow from what was sent, and are verified.
    pub(crate) expected: u64,
    pub(crate) total_delivered: u64,
    /// Those delivered while it was measured.
    pub(crate) delivered: u64,
    /// Deliveries that were not duplicates.
    pub(crate) fresh: u64,
    pub(crate) out_of_order: u64,
    pub(crate) duplicated: u64,
    pub(crate) stray: u64,
    pub(crate) unstamped: u64,
    pub(crate) lost: u64,
    pub(crate) unsent: u64,
    pub(crate) connected: u64,
    pub(crate) open: u64,
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
            Arrival::OutOfOrder => self.out_of_order += 1,
            Arrival::Duplicate => {
                self.duplicated += 1;
                return;
            }
            Arrival::Stray => {
                self.stray += 1;
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
        self.total_delivered += count;
        if self.measured.contains(&now) {
            self.delivered += count;
        }
    }

    /// Notes a message that was due at `due`, sent at `now`, and ought to be heard by `hearers`.
    #[inline]
    pub(crate) fn sent(&mut self, due: u64, now: u64, hearers: u64) {
        self.total_sent += 1;
        self.expected += hearers;
        if self.measured.contains(&due) {
            self.sent += 1;
            self.lateness.note(now.saturating_sub(due));
        }
    }

    /// Adds what another thread counted.
    pub(crate) fn merge(&mut self, other: &Tally) {
        self.total_sent += other.total_sent;
        self.sent += other.sent;
        self.expected += other.expected;
        self.total_delivered += other.total_delivered;
        self.delivered += other.delivered;
        self.fresh += other.fresh;
        self.out_of_order += other.out_of_order;
        self.duplicated += other.duplicated;
        self.stray += other.stray;
        self.unstamped += other.unstamped;
        self.lost += other.lost;
        self.unsent += other.unsent;
        self.connected += other.connected;
        self.open += other.open;
        self.connected_at = self.connected_at.max(other.connected_at);
        self.latency.merge(&other.latency);
        self.opening.merge(&other.opening);
        self.lateness.merge(&other.lateness);
        self.errors.merge(&other.errors);
        self.cpu_time += other.cpu_time;
    }
}
