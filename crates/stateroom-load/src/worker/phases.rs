//! What a thread does one after the other: open, warm up, measure, wait for the rest, count.

use super::{Worker, client::Client};
use crate::{
    Activity, Expect, Pace,
    clock::{nanos, thread_cpu_time},
    pacing::Pacing,
    tally::Tally,
};
use std::{io, sync::atomic::Ordering::Relaxed, time::Duration};

/// How often a thread looks up when nothing wakes it, in nanoseconds.
const LOOK: u64 = 20_000_000;

impl Worker<'_> {
    /// Does this thread's part of the plan.
    pub(crate) fn work(mut self) -> io::Result<Tally> {
        self.open_all()?;
        self.publish_now(self.common.clock.now());
        if matches!(self.plan.activity, Activity::ConnectOnly { .. }) {
            // Clients may have heard each other, which nobody said they must not.
            self.tally.counts.stray = 0;
        } else if self.tally.counts.connected > 0 {
            self.common.ready.fetch_add(1, Relaxed);
            let begin = self.begin()?;
            self.measure(begin)?;
            if self.plan.activity == Activity::Messages {
                self.finish()?;
                self.count();
            }
        }
        for index in 0..self.share.clients.len() {
            if self.share.clients.get(index).is_some_and(Client::is_open) {
                self.close(index);
            }
        }
        self.publish_now(self.common.clock.now());
        Ok(self.tally)
    }

    /// Waits until all threads are ready, and tells when sending begins.
    fn begin(&mut self) -> io::Result<u64> {
        loop {
            if let Some(begin) = self.common.begin.get() {
                return Ok(*begin);
            }
            self.pump(self.common.clock.now() + LOOK / 4)?;
        }
    }

    /// Sends, or only holds on, until it has been measured for long enough.
    fn measure(&mut self, begin: u64) -> io::Result<()> {
        let start = begin + nanos(self.plan.warmup);
        let end = start + nanos(self.plan.duration);
        self.tally.measured = start..end;
        if self.plan.activity == Activity::Messages {
            self.begin_to_send(begin, end);
        }
        let mut cpu_time = Duration::ZERO;
        let mut boundary = start;
        loop {
            let now = self.common.clock.now();
            if now >= boundary {
                if boundary == end {
                    break;
                }
                cpu_time = thread_cpu_time();
                boundary = end;
            }
            self.send_due(now);
            self.pump(self.next_due.min(boundary).min(now + LOOK))?;
        }
        self.tally.cpu_time = thread_cpu_time().saturating_sub(cpu_time);
        Ok(())
    }

    fn begin_to_send(&mut self, begin: u64, end: u64) {
        match self.plan.pace {
            Pace::Rate(rate) => {
                let senders = u64::from(self.plan.rooms) * u64::from(self.plan.senders_per_room());
                let turns = self.share.turns.clone();
                let pacing = Pacing::new(rate, senders, turns, begin, end);
                self.next_due = pacing.next_due().unwrap_or(u64::MAX);
                self.pacing = Some(pacing);
            }
            Pace::Window(window) => {
                self.window = Some(window.into());
                for sender in 0..self.share.senders.len() {
                    if let Some(&index) = self.share.senders.get(sender) {
                        self.fill_window(index, window.into(), self.common.clock.now());
                    }
                }
            }
        }
    }

    /// Waits for what has been sent and has not come, as long as anything comes.
    fn finish(&mut self) -> io::Result<()> {
        self.window = None;
        self.send_due(self.tally.measured.end);
        let patience = nanos(self.plan.patience);
        let mut heard = (self.tally.fresh, self.tally.counts.total_sent);
        let mut heard_at = self.common.clock.now();
        loop {
            if self.tally.fresh >= self.tally.expected
                && self.share.clients.iter().all(Client::is_flushed)
            {
                return Ok(());
            }
            let now = self.common.clock.now();
            if heard != (self.tally.fresh, self.tally.counts.total_sent) {
                heard = (self.tally.fresh, self.tally.counts.total_sent);
                heard_at = now;
            } else if now >= heard_at + patience {
                return Ok(());
            }
            self.pump(now + LOOK)?;
        }
    }

    /// Counts what has not come.
    fn count(&mut self) {
        if self.plan.expect == Expect::None {
            return;
        }
        let share = &self.share;
        for client in &share.clients {
            // One that never was open is an error of another kind.
            if client.was_open {
                self.tally.counts.lost +=
                    client.arrivals.missing(|number| share.stamped_by(number));
            }
        }
    }
}
