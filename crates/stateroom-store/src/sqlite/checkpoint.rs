//! Copies what was committed from the write-ahead log into the database, on a thread of its own, so
//! that no commit pays for it.

use super::{failure, open};
use crate::StoreError;
use rusqlite::{Connection, ErrorCode, OpenFlags, Row};
use std::{
    io, mem,
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

/// About how many bytes are committed between two checkpoints.
const EVERY_BYTES: u64 = 4 << 20;

/// Past this size of the write-ahead log (64 MiB, in pages), a checkpoint makes commits wait, so that
/// the log can begin anew. Otherwise it does so by itself in a pause between two commits.
const MAX_PAGES: i64 = 16 * 1024;

/// Past about this size of it, a commit waits for a checkpoint: commits without a flush can be quicker
/// than the disk for long.
const WAIT_BYTES: u64 = 128 << 20;

/// The thread. It ends when this is dropped.
pub(crate) struct Checkpointer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// About how many bytes were committed since it was last woken.
    volume: u64,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    wanted: bool,
    ended: bool,
    /// How many checkpoints there were, or attempts.
    attempts: u64,
    /// About how large the write-ahead log is, in bytes.
    size: u64,
    failed: Option<StoreError>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Checkpointer {
    /// Starts the thread for the database at `path`.
    pub(crate) fn start(path: &Path) -> Result<Self, StoreError> {
        let connection = open::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        // While it waits for readers, commits wait for it.
        let short = connection
            .busy_handler(Some(open::wait_shortly))
            .and_then(|()| connection.pragma_update(None, "wal_autocheckpoint", 0))
            // With less, the database would not be flushed before the log begins anew.
            .and_then(|()| connection.pragma_update(None, "synchronous", "FULL"));
        short.map_err(|error| failure::of_opening(path, error))?;
        let shared = Arc::new(Shared::default());
        let (for_thread, path) = (shared.clone(), path.to_owned());
        let cannot_start = {
            let path = path.clone();
            move |error: io::Error| StoreError::CannotOpen { path, source: Arc::new(error) }
        };
        let thread = thread::Builder::new()
            .name("checkpoint".into())
            .spawn(move || run(&connection, &path, &for_thread))
            .map_err(cannot_start)?;
        Ok(Self { shared, thread: Some(thread), volume: 0 })
    }

    /// Notes that about `bytes` were committed. Waits if the write-ahead log has become too large.
    pub(crate) fn committed(&mut self, bytes: u64) {
        self.volume += bytes;
        if self.volume < EVERY_BYTES {
            return;
        }
        let mut state = self.shared.state();
        state.size += mem::take(&mut self.volume);
        state.wanted = true;
        self.shared.changed.notify_all();
        if state.size > WAIT_BYTES {
            // One attempt is waited for; if a reader is in its way, the log has to grow.
            let attempts = state.attempts;
            let waiting = |state: &mut State| state.attempts == attempts && state.failed.is_none();
            let _state = self.shared.changed.wait_while(state, waiting);
        }
    }

    /// A flush that has failed on the thread. It concerns commits that have returned.
    pub(crate) fn failure(&self) -> Option<StoreError> {
        self.shared.state().failed.clone()
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.shared.state().ended = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // If it has panicked, there is nothing to wait for.
            let _ = thread.join();
        }
    }
}

fn run(connection: &Connection, path: &Path, shared: &Shared) {
    loop {
        let waiting = |state: &mut State| !state.wanted && !state.ended;
        let state = shared.changed.wait_while(shared.state(), waiting);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        if state.ended {
            return;
        }
        state.wanted = false;
        let committed_before = state.size;
        drop(state);
        let result = checkpoint(connection);
        let mut state = shared.state();
        state.attempts += 1;
        match result {
            // What was committed meanwhile comes on top.
            Ok(size) => state.size = size + (state.size - committed_before),
            // A reader or a full disk stands in the way only for a while.
            Err(error) if is_passing(&error) => {}
            Err(error) => state.failed = Some(failure::of_writing(path, &error).0),
        }
        shared.changed.notify_all();
        if state.failed.is_some() {
            return;
        }
    }
}

fn is_passing(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::DiskFull)
    )
}

/// Copies what it can, and tells how large the write-ahead log is then, in bytes.
fn checkpoint(connection: &Connection) -> rusqlite::Result<u64> {
    let pages = |mode| {
        let sql = format!("PRAGMA wal_checkpoint({mode})");
        let mut statement = connection.prepare_cached(&sql)?;
        let number = |row: &Row<'_>| Ok((row.get::<_, bool>(0)?, row.get::<_, i64>(1)?));
        statement.query_row((), number)
    };
    let (_, mut size) = pages("PASSIVE")?;
    // What was copied while commits went on needn't be copied while they wait.
    if size > MAX_PAGES && !pages("RESTART")?.0 {
        size = 0;
    }
    Ok(size.max(0).cast_unsigned() * 4096)
}
