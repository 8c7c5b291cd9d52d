//! Carries out a plan: a thread for each share of the rooms, and this one to watch over them.

use crate::{
    Activity, Dialect, LoadError, Plan, Report,
    clock::Clock,
    open_files,
    stamp::Marker,
    tally::Tally,
    worker::{AT_ONCE, MAX_CLOSING, Share, Worker},
};
use std::{
    net::SocketAddr,
    sync::{
        OnceLock,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

/// How often the threads are looked at.
const LOOK: Duration = Duration::from_millis(5);
/// How often progress is told.
const TELL: Duration = Duration::from_secs(1);

/// How far a run has come.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// What it is doing.
    pub phase: Phase,
    /// How long it has been running.
    pub elapsed: Duration,
    /// Connections opened so far.
    pub connected: u64,
    /// Connections that are open.
    pub open: u64,
    /// Messages sent so far.
    pub sent: u64,
    /// Messages that have come so far.
    pub delivered: u64,
    /// Connections that have failed.
    pub failed: u64,
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
    pub(crate) connected: AtomicU64,
    pub(crate) open: AtomicU64,
    pub(crate) sent: AtomicU64,
    pub(crate) delivered: AtomicU64,
    pub(crate) failed: AtomicU64,
}

/// Carries out `plan`, and tells `watch` how far it is: at each new phase, and once a second. All
/// connections are open when `watch` first hears of another phase than [`Phase::Connecting`].
///
/// # Errors
/// When the plan cannot be carried out. What goes wrong with connections and messages is told by
/// the report.
pub fn run(
    plan: &Plan,
    dialect: &dyn Dialect,
    mut watch: impl FnMut(&Progress),
) -> Result<Report, LoadError> {
    plan.check()?;
    open_files::allow(files(plan))?;
    let common = Common {
        address: plan.target.resolve()?,
        clock: Clock::start(),
        marker: Marker::random(),
        ready: AtomicU32::new(0),
        begin: OnceLock::new(),
        connected: AtomicU64::new(0),
        open: AtomicU64::new(0),
        sent: AtomicU64::new(0),
        delivered: AtomicU64::new(0),
        failed: AtomicU64::new(0),
    };
    let shares = Share::all(plan);
    let count = shares.len() as u32;
    let workers: Result<Vec<Worker<'_>>, LoadError> =
        shares.into_iter().map(|share| Ok(Worker::new(plan, dialect, &common, share)?)).collect();
    let tallies: Result<Vec<Tally>, LoadError> = thread::scope(|scope| {
        let threads: Result<Vec<_>, _> = workers?
            .into_iter()
            .map(|worker| thread::Builder::new().spawn_scoped(scope, move || worker.work()))
            .collect();
        if threads.is_err() {
            // Those that did start are not to wait for the others.
            common.begin.get_or_init(|| common.clock.now());
        }
        let threads = threads?;
        watch(&common.progress(plan));
        let mut told = (Phase::Connecting, Duration::ZERO);
        while !threads.iter().all(thread::ScopedJoinHandle::is_finished) {
            // Threads whose connections have all failed end at once, and are not waited for.
            let ended = threads.iter().filter(|thread| thread.is_finished()).count() as u32;
            if common.ready.load(Relaxed) + ended >= count {
                common.begin.get_or_init(|| common.clock.now());
            }
            let progress = common.progress(plan);
            if told.0 != progress.phase || progress.elapsed >= told.1 + TELL {
                watch(&progress);
                told = (progress.phase, progress.elapsed);
            }
            thread::sleep(LOOK);
        }
        let join = |thread: thread::ScopedJoinHandle<'_, _>| match thread.join() {
            Ok(tally) => Ok(tally?),
            Err(_) => Err(LoadError::Panicked),
        };
        threads.into_iter().map(join).collect()
    });
    let mut sum = Tally::new();
    for tally in &tallies? {
        sum.merge(tally);
    }
    let measured = match plan.activity {
        Activity::ConnectOnly { .. } => Duration::ZERO,
        Activity::Messages | Activity::Hold => plan.duration,
    };
    Ok(Report::new(plan, &sum, measured))
}

/// How many connections there are at once.
fn files(plan: &Plan) -> u64 {
    match plan.activity {
        Activity::ConnectOnly { connections, .. } if plan.ramp.is_none() => {
            u64::from(connections).min(u64::from(AT_ONCE) + MAX_CLOSING as u64)
        }
        _ => plan.connections(),
    }
}

impl Common {
    fn progress(&self, plan: &Plan) -> Progress {
        let elapsed = Duration::from_nanos(self.clock.now());
        let since =
            self.begin.get().map(|begin| elapsed.saturating_sub(Duration::from_nanos(*begin)));
        let phase = match since {
            None => Phase::Connecting,
            Some(since) if since < plan.warmup => Phase::WarmingUp,
            Some(since) if since < plan.warmup + plan.duration => Phase::Measuring,
            Some(_) => Phase::Finishing,
        };
        Progress {
            phase,
            elapsed,
            connected: self.connected.load(Relaxed),
            open: self.open.load(Relaxed),
            sent: self.sent.load(Relaxed),
            delivered: self.delivered.load(Relaxed),
            failed: self.failed.load(Relaxed),
        }
    }
}
