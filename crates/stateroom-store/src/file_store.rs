//! A store in a folder: the log, which is the only truth, and a checkpoint that is derived from it.

use crate::{
    Durability, FileReader, Monitor, Options, Outcome, Reader, Store, StoreError, Ticket, Write,
    checkpoint::run::{self, Checkpoint},
    failure,
    faults::{Deliberate, is_on},
    live::{self, LiveReader},
    lock::lock,
    log::{
        compose::{Composed, Known},
        entry::{Large, Place},
        large,
        writer::Writer,
    },
    monitor::FileMonitor,
    pace,
    read_connection::ReadConnection,
    recovery::{
        folder::Lock,
        recover::{self, Recovered},
    },
    shared::Shared,
    view::View,
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
/// [`finish`](Store::finish).
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

    /// A connection to look up rooms with.
    /// Where `room` stands. With `whole = false`, only where its last entry is.
    fn look_up(&mut self, room: &str, whole: bool) -> Result<Known, StoreError> {
        if let Some(known) = self.shared.lock().index.room(room) {
            return Ok(known);
        }
        let unknown = Known { last: Place::default(), after: None, module: None };
        if !whole {
            return Ok(unknown);
        }
        let shared = &self.shared;
        let (segments, connection) = (&[], self.connection.connect(shared)?.map(|it| &*it));
        let view = View { files: &*shared.files, folder: &shared.folder, segments, connection };
        let known = view.standing(room).map_err(|error| live::told(shared, error))?;
        Ok(known.unwrap_or(unknown))
    }

    fn append_now(&mut self, record: &[Write]) -> Result<(), StoreError> {
        {
            let state = self.shared.lock();
            state.check_open()?;
            if let Some(moved) = &state.moved {
                return Err(moved.clone());
            }
        }
        if self.is_finished {
            return Err(StoreError::Closed { reason: "it was closed in order".into() });
        }
        let shared = self.shared.clone();
        let mut written: Vec<Large> = Vec::new();
        let next = self.writer.next;
        let composed = Composed::new(
            record,
            next,
            |room, whole| self.look_up(room, whole),
            |bytes| set_aside(&shared, bytes, &mut written),
        );
        let appended = composed.and_then(|composed| {
            if !written.is_empty() {
                large::flush_folder(&*shared.files, &shared.folder)
                    .map_err(|error| large_failed(&shared, error))?;
            }
            if record.is_empty() {
                return Ok(());
            }
            self.wait_for_the_checkpoint(composed.bytes() + composed.large);
            #[cfg(feature = "faults")]
            self.before_append(&composed);
            self.writer.append(&composed)
        });
        self.note_refusal(&appended);
        match appended {
            Ok(()) => {
                shared.large_bytes.fetch_add(written.iter().map(|it| it.length).sum(), Relaxed);
            }
            Err(StoreError::Failed { .. }) => {}
            // Nobody will name them.
            Err(_) => written.iter().for_each(|it| {
                let _ = shared.files.remove(&large::path(&shared.folder, it.name));
            }),
        }
        appended
    }

    /// Has the monitor tell while nothing can be written.
    fn note_refusal(&mut self, appended: &Result<(), StoreError>) {
        let refused = match appended {
            Err(error @ (StoreError::Full { .. } | StoreError::NotWritten { .. })) => Some(error),
            Ok(()) => None,
            Err(_) => return,
        };
        if refused.is_some() || self.has_refused {
            self.has_refused = refused.is_some();
            self.shared.lock().refused = refused.cloned();
        }
    }

    fn wait_for_the_checkpoint(&self, bytes: u64) {
        if self.shared.options.thread {
            let segment = self.shared.options.segment_bytes;
            let delay = pace::delay(run::behind(&self.shared), segment, bytes);
            if !delay.is_zero() {
                self.shared.wake.notify_all();
                thread::sleep(delay);
            }
        }
    }

    /// Waits until all that was appended is on the disk, if it has to be.
    fn flush(&mut self) -> Result<(), StoreError> {
        self.shared.lock().check_open()?;
        if self.shared.durability == Durability::Buffered {
            return Ok(());
        }
        self.writer.flush().map_err(|error| {
            if is_on(Deliberate::GoOnAfterFailedFlush) { error } else { self.shared.fail(error) }
        })
    }

    /// What a record is told that was handed over, after a flush.
    fn after_flush(&mut self, flushed: &Result<(), StoreError>) -> Outcome {
        match flushed {
            Ok(()) => Outcome::Durable,
            Err(_) if is_on(Deliberate::AcknowledgeBeforeFlush) => Outcome::Durable,
            Err(error) if is_on(Deliberate::TakeBackAfterFailedFlush) => {
                Outcome::Refused(error.clone())
            }
            Err(error) => Outcome::Unknown(error.clone()),
        }
    }

    fn put_in_order(&mut self) -> Result<(), StoreError> {
        self.flush()?;
        self.stop();
        self.shared.lock().check_open()?;
        let Some(mut checkpoint) = lock(&self.checkpoint).take() else { return Ok(()) };
        // A file without records is all that stays of the log.
        self.writer.begin_last()?;
        while checkpoint.step(true)? {}
        let _ = checkpoint.is_clear();
        checkpoint.restart_log()?;
        self.connection.close();
        let next = self.shared.lock().next.take();
        if let Some(next) = next {
            let _ = self.shared.files.remove(&next.path);
        }
        self.lock.mark(false)?;
        checkpoint.end();
        Ok(())
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

/// Writes what is large to a file of its own.
fn set_aside(
    shared: &Shared,
    bytes: &[u8],
    written: &mut Vec<Large>,
) -> Result<Option<Large>, StoreError> {
    if bytes.len() <= shared.options.large_bytes {
        return Ok(None);
    }
    let large = large::write(&*shared.files, &shared.folder, bytes)
        .map_err(|error| large_failed(shared, error))?;
    written.push(large);
    Ok(Some(large))
}

fn large_failed(shared: &Shared, error: large::NotWritten) -> StoreError {
    let path = shared.folder.join(large::FOLDER);
    match error {
        large::NotWritten::Before(error) => failure::of_writing(&path, &error),
        large::NotWritten::Flush(error) => shared.fail(failure::of_flushing(&path, &error)),
    }
}

impl Store for FileStore {
    fn append(&mut self, record: &[Write]) -> Ticket {
        self.last_ticket.0 += 1;
        let outcome = match self.append_now(record) {
            Ok(()) => None,
            Err(error @ (StoreError::Failed { .. } | StoreError::Closed { .. })) => {
                Some(Outcome::Unknown(error))
            }
            Err(error) => Some(Outcome::Refused(error)),
        };
        self.waiting.push((self.last_ticket, outcome));
        self.last_ticket
    }

    fn states_wanted(&self) -> u64 {
        self.writer.states_wanted
    }

    fn settle(&mut self) -> Vec<(Ticket, Outcome)> {
        if self.waiting.is_empty() {
            return Vec::new();
        }
        let has_waiting = self.waiting.iter().any(|(_, outcome)| outcome.is_none());
        let flushed = if has_waiting { self.flush() } else { Ok(()) };
        #[cfg(feature = "faults")]
        if flushed.is_err() && is_on(Deliberate::TakeBackAfterFailedFlush) {
            self.writer.take_back(self.end_before);
        }
        let after = self.after_flush(&flushed);
        let waiting = std::mem::take(&mut self.waiting);
        let settle = |(ticket, outcome): (Ticket, Option<Outcome>)| {
            (ticket, outcome.unwrap_or_else(|| after.clone()))
        };
        waiting.into_iter().map(settle).collect()
    }

    fn finish(&mut self) -> Result<(), StoreError> {
        if self.is_finished {
            return Ok(());
        }
        self.put_in_order()?;
        self.is_finished = true;
        Ok(())
    }

    fn monitor(&self) -> Arc<dyn Monitor> {
        self.monitor.clone()
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        Ok(Box::new(LiveReader::new(self.shared.clone())?))
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

/// What deliberate faults need.
#[cfg(feature = "faults")]
impl FileStore {
    fn before_append(&mut self, composed: &Composed<'_>) {
        self.end_before = self.writer.end();
        if !is_on(Deliberate::LargeDroppedAtOnce) {
            return;
        }
        let rooms = composed.rooms.keys();
        let named = rooms.filter_map(|room| {
            let connection = self.connection.get()?;
            crate::checkpoint::row::RoomRow::read(connection, room).ok()??.large
        });
        for large in named {
            let _ = self.shared.files.remove(&large::path(&self.shared.folder, large.name));
        }
    }
}
