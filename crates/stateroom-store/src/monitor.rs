//! Tells how a store on disk does, from any thread.

use crate::{Figures, Monitor, StoreError, failure, recovery::folder::Lock, shared::Shared};
use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering::Relaxed},
};

type Identity = io::Result<Option<(u64, u64)>>;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct FileMonitor {
    shared: Arc<Shared>,
    folder: Option<(u64, u64)>,
    lock: Option<(u64, u64)>,
    database: Option<(u64, u64)>,
}

impl FileMonitor {
    pub(crate) fn new(shared: Arc<Shared>, lock: &Lock) -> Self {
        let folder = shared.files.identity(&shared.folder).ok().flatten();
        let lock = lock.identity().ok().flatten();
        let database = shared.files.identity(&shared.database()).ok().flatten();
        FileMonitor { shared, folder, lock, database }
    }

    /// An error if the folder, or a file in it that must be there, is not the one that was opened.
    fn look_for_files(&self) -> Result<(), StoreError> {
        self.compare(self.shared.folder.clone(), self.folder)?;
        self.compare(self.shared.folder.join("lock"), self.lock)?;
        self.compare(self.shared.database(), self.database)?;
        let newest = self.shared.lock().segments.back().cloned();
        let Some(newest) = newest else { return Ok(()) };
        self.compare(newest.path.clone(), newest.file.identity().ok().flatten())
    }

    /// An error if what is at `path` is not `expected`.
    fn compare(&self, path: PathBuf, expected: Option<(u64, u64)>) -> Result<(), StoreError> {
        let Some(expected) = expected else { return Ok(()) };
        let what = match self.identity(&path) {
            Ok(Some(found)) if found != expected => "another one is in its place".to_owned(),
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => "it is gone".to_owned(),
            Err(error) => return Err(failure::of_reading(&path, &error)),
        };
        Err(StoreError::Moved { path, what })
    }

    fn identity(&self, path: &Path) -> Identity {
        self.shared.files.identity(path)
    }
}

impl Monitor for FileMonitor {
    fn check(&self) -> Result<(), StoreError> {
        let state = self.shared.lock();
        state.check_open()?;
        let no_next = state.no_next.clone().filter(|_| state.next.is_none());
        let refused = state.refused.clone().or(state.no_checkpoint.clone());
        drop(state);
        // A file that was just left behind may be gone, so it is looked twice.
        let found = self.look_for_files().or_else(|_| self.look_for_files());
        let moved = found.as_ref().err().filter(|it| matches!(it, StoreError::Moved { .. }));
        self.shared.lock().moved = moved.cloned();
        found?;
        // The next file of the log could not be made, so there will be no place soon.
        no_next.or(refused).map_or(Ok(()), Err)
    }

    fn figures(&self) -> Figures {
        let shared = &self.shared;
        let state = shared.lock();
        let records = state.segments.back().map_or(0, |newest| newest.last());
        let files = state.segments.len() + usize::from(state.next.is_some());
        let segments: Vec<_> = state.segments.iter().cloned().collect();
        let next = state.next.as_ref().map(|next| next.file.clone());
        drop(state);
        let bytes =
            segments.iter().map(|it| &it.file).chain(&next).map(|it| it.length().unwrap_or(0));
        let log_bytes = bytes.sum::<u64>() + shared.spare_bytes.load(Relaxed);
        let database = shared.database();
        let checkpoint = shared.files.open(&database).and_then(|file| file.length()).unwrap_or(0);
        Figures {
            records,
            checkpointed: shared.applied(),
            log_files: files as u64,
            log_bytes,
            checkpoint_bytes: checkpoint + shared.files.database_log_bytes(&database),
            large_bytes: shared.large_bytes.load(Relaxed),
        }
    }
}
