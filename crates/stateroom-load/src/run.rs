//! Carries out a plan: a thread for each share of the rooms, and this one to watch over them.

use crate::{
    Activity, Dialect, LoadError, Plan, Report, open_files,
    progress::{Common, Phase, Progress},
    tally::Tally,
    worker::{AT_ONCE, MAX_CLOSING, Share, Worker},
};
use std::{sync::atomic::Ordering::Relaxed, thread, time::Duration};

/// How often the threads are looked at.
const LOOK: Duration = Duration::from_millis(5);
/// How often progress is told.
const TELL: Duration = Duration::from_secs(1);

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
    let shares = Share::all(plan);
    let common = Common::new(plan.target.resolve()?, shares.len());
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
    let mut sum = Tally::default();
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
