//! How far a run has come, and what its threads have in common, by which that is known.

use crate::{Plan, clock::Clock, stamp::Marker, tally::Counts};
use std::{
    net::SocketAddr,
    sync::{Mutex, OnceLock, PoisonError, atomic::AtomicU32},
    time::Duration,
};

/// How far a run has come.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// What it is doing.
    pub phase: Phase,
    /// How long it has been running.
    pub elapsed: Duration,
    /// What has been counted so far.
    pub counts: Counts,
}

/// What a run is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Opening connections.
    Connecting,
    /// Sending, but not measuring yet.
    WarmingUp,
    /// Measuring.
    Measuring,
    /// Waiting for the last answers.
    Finishing,
}

/// What the threads of a run have in common.
#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) clock: Clock,
    pub(crate) address: SocketAddr,
    pub(crate) marker: Marker,
    /// How many threads have opened all their connections.
    pub(crate) ready: AtomicU32,
    /// When sending begins; not set while connections are being opened.
    pub(crate) begin: OnceLock<u64>,
    /// What each thread has counted, as of a moment ago.
    pub(crate) counts: Vec<Mutex<Counts>>,
}

impl Common {
    pub(crate) fn new(address: SocketAddr, threads: usize) -> Common {
        Common {
            address,
            clock: Clock::start(),
            marker: Marker::random(),
            ready: AtomicU32::new(0),
            begin: OnceLock::new(),
            counts: (0..threads).map(|_| Mutex::default()).collect(),
        }
    }

    /// How far a run of `plan` is.
    pub(crate) fn progress(&self, plan: &Plan) -> Progress {
        let elapsed = Duration::from_nanos(self.clock.now());
        let since =
            self.begin.get().map(|begin| elapsed.saturating_sub(Duration::from_nanos(*begin)));
        let phase = match since {
            None => Phase::Connecting,
            Some(since) if since < plan.warmup => Phase::WarmingUp,
            Some(since) if since < plan.warmup + plan.duration => Phase::Measuring,
            Some(_) => Phase::Finishing,
        };
        let mut counts = Counts::default();
        for thread in &self.counts {
            counts += *thread.lock().unwrap_or_else(PoisonError::into_inner);
        }
        Progress { phase, elapsed, counts }
    }
}
