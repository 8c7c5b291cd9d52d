//! What the one who writes, the checkpoint and the readers of a process share.

use crate::{
    Durability, StoreError,
    files::{Files, OpenFile},
    index::Index,
    lock::lock,
    log::{layout::LogId, segment::Segment},
    options::Options,
};
use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) folder: PathBuf,
    pub(crate) files: Arc<dyn Files>,
    pub(crate) options: Options,
    pub(crate) durability: Durability,
    pub(crate) id: LogId,
    pub(crate) epoch: u64,
    state: Mutex<State>,
    /// Told when there is something for the checkpoint to do.
    pub(crate) wake: Condvar,
    /// Up to which position records are known to be on the disk.
    pub(crate) flushed: AtomicU64,
    /// Up to which position the checkpoint has them, flushed.
    pub(crate) applied: AtomicU64,
    /// Bytes of the files of the log that the checkpoint has yet to give back, and of large files.
    pub(crate) spare_bytes: AtomicU64,
    pub(crate) large_bytes: AtomicU64,
    pub(crate) database_log_bytes: AtomicU64,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) index: Index,
    /// The files of the log, the oldest first; the last is the one that is written to.
    pub(crate) segments: VecDeque<Arc<Segment>>,
    /// The next one, made ahead.
    pub(crate) next: Option<NextFile>,
    /// The number of the next file that is made.
    pub(crate) next_number: u64,
    /// Why none could be made.
    pub(crate) no_next: Option<StoreError>,
    /// Why the folder is not ours any more, as long as that is so: nothing is written meanwhile.
    pub(crate) moved: Option<StoreError>,
    /// Why the last record was not written, until one is.
    pub(crate) refused: Option<StoreError>,
    /// Why the checkpoint cannot go on, as long as that is so: the log does not become shorter meanwhile.
    pub(crate) no_checkpoint: Option<StoreError>,
    /// The first failure that was final.
    pub(crate) failure: Option<StoreError>,
    /// Whether the checkpoint's thread is to end.
    pub(crate) stop: bool,
}

/// A file that is there before there is something to write. It has no header yet.
#[derive(Debug)]
pub(crate) struct NextFile {
    pub(crate) number: u64,
    pub(crate) path: PathBuf,
    pub(crate) file: Arc<dyn OpenFile>,
}

/// What recovery has made of what it found.
pub(crate) struct Begun {
    pub(crate) id: LogId,
    pub(crate) epoch: u64,
    pub(crate) index: Index,
    pub(crate) segments: VecDeque<Arc<Segment>>,
    pub(crate) flushed: u64,
    pub(crate) applied: u64,
}

impl Shared {
    pub(crate) fn new(
        folder: &Path,
        options: Options,
        durability: Durability,
        begun: Begun,
    ) -> Self {
        let Begun { id, epoch, index, segments, flushed, applied } = begun;
        let next_number = segments.back().map_or(1, |segment| segment.header.number + 1);
        let state = State {
            index,
            segments,
            next: None,
            next_number,
            no_next: None,
            moved: None,
            refused: None,
            no_checkpoint: None,
            failure: None,
            stop: false,
        };
        let files = options.files.clone();
        Shared {
            folder: folder.to_owned(),
            files,
            options,
            durability,
            id,
            epoch,
            state: Mutex::new(state),
            wake: Condvar::new(),
            flushed: AtomicU64::new(flushed),
            applied: AtomicU64::new(applied),
            spare_bytes: AtomicU64::new(0),
            large_bytes: AtomicU64::new(0),
            database_log_bytes: AtomicU64::new(0),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Waits until the checkpoint is woken, or for so long.
    pub(crate) fn wait(&self, state: MutexGuard<'_, State>, time: std::time::Duration) {
        drop(self.wake.wait_timeout(state, time));
    }

    /// The folder of the log's files.
    pub(crate) fn log_folder(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// The checkpoint's database.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder.join("rooms.db")
    }

    /// Notes that nothing more may be written. Gives back what to tell of it.
    pub(crate) fn fail(&self, error: StoreError) -> StoreError {
        self.lock().failure.get_or_insert_with(|| error.clone());
        error
    }

    /// Up to where the checkpoint has come.
    pub(crate) fn applied(&self) -> u64 {
        self.applied.load(Relaxed)
    }
}

impl State {
    /// Says why nothing more is written, if it is so.
    pub(crate) fn check_open(&self) -> Result<(), StoreError> {
        match &self.failure {
            None => Ok(()),
            Some(error) => Err(StoreError::Closed { reason: error.to_string().into() }),
        }
    }
}
