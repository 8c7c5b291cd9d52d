//! A store in a folder: the log, which is the only truth, and a checkpoint that is derived from it.

mod append;
mod commit;

use crate::{
    Durability, FileReader, Options, Outcome, StoreError, Ticket,
    checkpoint::run::Checkpoint,
    failure,
    lock::lock,
    log::writer::Writer,
    monitor::FileMonitor,
    read_connection::ReadConnection,
    recovery::{
        folder::Lock,
        recover::{self, Recovered},
    },
    shared::Shared,
};
use std::{
    fmt,
    path::Path,
    sync::{Arc, Mutex, atomic::Ordering::Relaxed},
    thread::{self, JoinHandle},
};

/// A store in a folder; FORMAT.md draws it byte by byte. One process at a time can have it.
///
/// To drop it is as a kill: whatever was told to be durable is there, but nothing is put in order. See
/// [`finish`](crate::Store::finish).
///
/// ```
/// use stateroom_store::{Durability, FileStore, ModuleHash, Store, Vitals, Write};
///
/// # let folder = tempfile::tempdir()?;
/// # let folder = folder.path();
/// let mut store = FileStore::open(folder, Durability::Synced)?;
/// store.commit(&[Write::Snapshot {
///     room: "lobby".into(),
///     at: 0,
///     module: ModuleHash([7; 32]),
///     state: b"empty".to_vec(),
///     vitals: Vitals::default(),
/// }])?;
/// drop(store);
///
/// let mut reader = FileStore::open_read_only(folder)?;
/// # use stateroom_store::Reader;
/// assert_eq!(reader.list()?.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct FileStore {
    shared: Arc<Shared>,
    writer: Writer,
    checkpoint: Arc<Mutex<Option<Checkpoint>>>,
    thread: Option<JoinHandle<()>>,
    /// To look up rooms that the index does not have.
    connection: ReadConnection,
    monitor: Arc<FileMonitor>,
    last_ticket: Ticket,
    /// Records that were handed over, and the outcomes that are known already.
    waiting: Vec<(Ticket, Option<Outcome>)>,
    lost: u64,
    is_finished: bool,
    /// See [`Store::rate`](crate::Store::rate).
    rate: Option<u64>,
    /// Whether the last record was not written.
    has_refused: bool,
    #[cfg(feature = "faults")]
    end_before: u64,
    /// Released last of all.
    lock: Lock,
}

impl FileStore {
    /// Opens the store in `folder`, or makes one if there is none. What is told to be
    /// [`Durable`](Outcome::Durable) survives what `durability` says. Begins one thread, which makes the
    /// checkpoint.
    ///
    /// # Errors
    /// [`InUse`](StoreError::InUse), [`CannotOpen`](StoreError::CannotOpen),
    /// [`ReadOnly`](StoreError::ReadOnly), [`NewerFormat`](StoreError::NewerFormat),
    /// [`OlderFormat`](StoreError::OlderFormat), [`NotAStore`](StoreError::NotAStore),
    /// [`DamagedFile`](StoreError::DamagedFile), [`Full`](StoreError::Full),
    /// [`Unreadable`](StoreError::Unreadable). None of these changes what is there.
    pub fn open(folder: &Path, durability: Durability) -> Result<Self, StoreError> {
        Self::open_with(folder, durability, Options::default())
    }

    /// The same, with another disk, other sizes, or no thread.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn open_with(
        folder: &Path,
        durability: Durability,
        options: Options,
    ) -> Result<Self, StoreError> {
        let recovered = recover::recover(folder, durability, &options)?;
        let Recovered { lock, begun, database, last, check, boot, lost, large_bytes } = recovered;
        let shared = Arc::new(Shared::new(folder, options, durability, begun));
        shared.large_bytes.store(large_bytes, Relaxed);
        let writer = Writer::new(shared.clone(), last, check, boot).ok_or_else(|| {
            let path = shared.log_folder();
            StoreError::DamagedFile { path, what: "it has no file".to_owned() }
        })?;
        let monitor = Arc::new(FileMonitor::new(shared.clone(), &lock));
        let checkpoint = Checkpoint::new(shared.clone(), database);
        let mut store = FileStore {
            shared,
            writer,
            checkpoint: Arc::new(Mutex::new(Some(checkpoint))),
            thread: None,
            connection: ReadConnection::default(),
            monitor,
            last_ticket: Ticket(0),
            waiting: Vec::new(),
            lost,
            is_finished: false,
            rate: None,
            has_refused: false,
            #[cfg(feature = "faults")]
            end_before: 0,
            lock,
        };
        store.connection.connect(&store.shared)?;
        store.start()?;
        Ok(store)
    }

    /// Reads the store in `folder`, also while a server has it. Writes nothing.
    ///
    /// Meant for tools: each call reads the log anew.
    ///
    /// # Errors
    /// Those of [`open`](Self::open), except `InUse` and `Full`; and
    /// [`NotAStore`](StoreError::NotAStore) where there is none.
    pub fn open_read_only(folder: &Path) -> Result<FileReader, StoreError> {
        FileReader::open(folder, Options::default().files)
    }

    /// The same on another disk.
    ///
    /// # Errors
    /// The same.
    pub fn open_read_only_with(folder: &Path, options: &Options) -> Result<FileReader, StoreError> {
        FileReader::open(folder, options.files.clone())
    }

    /// How many records a power cut has cost, which were written but not flushed, as far as can be told.
    /// 0 where every commit is flushed.
    #[must_use]
    pub fn lost_records(&self) -> u64 {
        self.lost
    }

    /// Does one step of the checkpoint's work, where that has no thread, and tells whether there may be
    /// more.
    ///
    /// # Errors
    /// Those of the disk. What is not final is tried again by the next step.
    pub fn checkpoint_step(&mut self) -> Result<bool, StoreError> {
        if self.thread.is_some() {
            return Ok(false);
        }
        match &mut *lock(&self.checkpoint) {
            Some(checkpoint) => checkpoint.step(false),
            None => Ok(false),
        }
    }

    fn start(&mut self) -> Result<(), StoreError> {
        if !self.shared.options.thread {
            return Ok(());
        }
        let checkpoint = self.checkpoint.clone();
        let told = TellsPanic(self.shared.clone());
        let run = move || {
            let _told = told;
            if let Some(checkpoint) = &mut *lock(&checkpoint) {
                checkpoint.run();
            }
        };
        let thread = thread::Builder::new().name("checkpoint".to_owned()).spawn(run);
        let thread = thread.map_err(|error| failure::of_opening(&self.shared.folder, error))?;
        self.thread = Some(thread);
        Ok(())
    }

    fn stop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.wake.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic there is noted by nobody else, and there is nothing to put right.
            let _ = thread.join();
        }
    }
}

/// Has the store end if the checkpoint's thread panics: without it, the log would grow for ever.
struct TellsPanic(Arc<Shared>);

impl Drop for TellsPanic {
    fn drop(&mut self) {
        if thread::panicking() {
            let reason = "the thread of the checkpoint has panicked, which is a bug".to_owned();
            self.0.fail(StoreError::Failed { path: self.0.database(), reason });
        }
    }
}

impl Drop for FileStore {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut formatter = formatter.debug_struct("FileStore");
        formatter.field("folder", &self.shared.folder).finish_non_exhaustive()
    }
}
