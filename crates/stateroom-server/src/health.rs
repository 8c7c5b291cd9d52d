//! Whether the server does what it is there for: its store keeps what is written, its threads are there.
//!
//! What has failed for good ends the server, so that whoever supervises it can start it anew. What may
//! pass, such as a full disk, is only told, by `/healthz` and `/status`.

use crate::lock::lock;
use stateroom_store::{Figures, Monitor, StoreError};
use std::{
    io,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// How often the store is looked at, and so how old an answer may be.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// A store that has not told for so long how it does is not well: its disk does not answer.
const CHECK_OVERDUE: Duration = Duration::from_secs(5);

/// What a server cannot go on after.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// Nothing can be kept any more.
    #[error("the store has failed: {0}")]
    Store(Arc<str>),
    /// A bug of the server, outside the rooms' turns.
    #[error("the thread {thread} panicked")]
    Panicked { thread: Arc<str> },
    /// A thread is gone that should not be.
    #[error("the thread {thread} has ended")]
    Ended { thread: Arc<str> },
}

/// How a server does.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// The first failure; those that follow from it say less.
    failure: OnceLock<Failure>,
    failed: CancellationToken,
    /// Whether its threads are to be there.
    running: AtomicBool,
    store: Mutex<Option<Checked>>,
}

/// What the store said of itself, and when.
#[derive(Debug)]
struct Checked {
    at: Instant,
    problem: Option<String>,
    figures: Figures,
}

impl Health {
    /// Has the server end, because it cannot go on. May be called on any thread.
    pub(crate) fn fail(&self, failure: Failure) {
        if self.failure.set(failure).is_ok()
            && let Some(failure) = self.failure.get()
        {
            tracing::error!(error = %failure, "the server ends, and should be started anew");
            self.failed.cancel();
        }
    }

    /// Why the server ends, if it has failed.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        self.failure.get()
    }

    /// Returns when the server has failed.
    pub(crate) async fn failed(&self) {
        self.failed.cancelled().await;
    }

    /// What is wrong at `now`, in words for whoever operates the server.
    pub(crate) fn problem(&self, now: Instant) -> Option<String> {
        if let Some(failure) = self.failure() {
            return Some(failure.to_string());
        }
        let store = lock(&self.store);
        let checked = store.as_ref()?;
        let age = now.saturating_duration_since(checked.at);
        match &checked.problem {
            Some(problem) => Some(problem.clone()),
            None if age >= CHECK_OVERDUE => {
                Some(format!("the disk of the store has not answered for {} s", age.as_secs()))
            }
            None => None,
        }
    }

    /// How large the store was when it was last looked at; `None` if there is none.
    pub(crate) fn figures(&self) -> Option<Figures> {
        lock(&self.store).as_ref().map(|checked| checked.figures)
    }

    /// From now on every thread that ends without being told to is a failure.
    pub(crate) fn begin(&self) {
        self.running.store(true, Relaxed);
    }

    /// From now on threads may end.
    pub(crate) fn stop(&self) {
        self.running.store(false, Relaxed);
    }

    /// What a thread, or the work that goes from thread to thread, holds for as long as it is there.
    pub(crate) fn guard(self: &Arc<Self>, thread: impl Into<Arc<str>>) -> ThreadGuard {
        ThreadGuard { health: self.clone(), thread: thread.into(), is_done: false }
    }

    /// Looks at the store, and then every second on a thread of its own, for a disk that does not answer
    /// holds up who asks it. The thread ends when what is returned is dropped.
    pub(crate) fn watch(self: &Arc<Self>, monitor: Arc<dyn Monitor>) -> io::Result<Sender<()>> {
        self.check(&*monitor);
        let (stop, stopped) = channel::<()>();
        let health = self.clone();
        thread::Builder::new().name("store-watch".to_owned()).spawn(move || {
            let _guard = health.guard("store-watch");
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(CHECK_EVERY) {
                health.check(&*monitor);
            }
        })?;
        Ok(stop)
    }

    fn check(&self, monitor: &dyn Monitor) {
        let problem = monitor.check().err();
        if let Some(error @ (StoreError::Failed { .. } | StoreError::Closed { .. })) = &problem
            && self.running.load(Relaxed)
        {
            self.fail(Failure::Store(error.to_string().into()));
        }
        let problem = problem.map(|error| error.to_string());
        let checked = Checked { at: Instant::now(), problem, figures: monitor.figures() };
        let before = lock(&self.store).replace(checked);
        let was_well = before.is_none_or(|before| before.problem.is_none());
        match &lock(&self.store).as_ref().and_then(|checked| checked.problem.clone()) {
            Some(problem) if was_well => tracing::error!(problem, "the store is not well"),
            None if !was_well => tracing::info!("the store is well again"),
            _ => {}
        }
    }
}

/// Tells of a thread that ends though nobody told it to.
#[derive(Debug)]
pub(crate) struct ThreadGuard {
    health: Arc<Health>,
    thread: Arc<str>,
    is_done: bool,
}

impl ThreadGuard {
    /// The thread ends as it should.
    pub(crate) fn done(mut self) {
        self.is_done = true;
    }
}

impl Drop for ThreadGuard {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        let thread = self.thread.clone();
        if thread::panicking() {
            self.health.fail(Failure::Panicked { thread });
        } else if self.health.running.load(Relaxed) {
            self.health.fail(Failure::Ended { thread });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_panics_is_a_failure_and_so_is_one_that_ends_before_the_server_does() {
        let run = |running: bool, act: fn()| {
            let health = Arc::new(Health::default());
            if running {
                health.begin();
            }
            let guard = health.guard("worker");
            let _ = thread::spawn(move || {
                let _guard = guard;
                act();
            })
            .join();
            health.failure().cloned()
        };
        let thread: Arc<str> = "worker".into();
        assert_eq!(
            run(true, || panic!("as asked")),
            Some(Failure::Panicked { thread: thread.clone() })
        );
        assert_eq!(
            run(false, || panic!("as asked")),
            Some(Failure::Panicked { thread: thread.clone() })
        );
        assert_eq!(run(true, || {}), Some(Failure::Ended { thread }));
        assert_eq!(run(false, || {}), None);
    }

    #[test]
    fn a_disk_that_does_not_answer_is_told_of() {
        let health = Health::default();
        let now = Instant::now();
        assert_eq!(health.problem(now), None, "there may be no store");
        *lock(&health.store) =
            Some(Checked { at: now, problem: None, figures: Figures::default() });
        assert_eq!(health.problem(now + Duration::from_secs(2)), None);
        let problem = health.problem(now + Duration::from_secs(7)).unwrap();
        assert_eq!(problem, "the disk of the store has not answered for 7 s");
    }
}
