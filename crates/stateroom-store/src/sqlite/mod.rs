//! A store in a folder: a log of what rooms hear, in files of its own, and all else in an SQLite database.

mod changes;
mod checkpoint;
mod checksum;
mod commit;
mod failure;
mod index;
mod log;
mod maintain;
mod open;
mod reader;
mod reading;
mod room_row;
mod scan;
mod schema;
mod segment;
mod standing;
mod table_of_contents;
mod write_ahead_log;

pub use reader::SqliteReader;

use crate::{
    Durability, Monitor, Outcome, Reader, Store, StoreError, Ticket, Write,
    store::{Harmless, Settled},
};
use checkpoint::Checkpointer;
use commit::{CheckError, Commit};
use index::SharedIndex;
use log::{Log, NotWritten, Written};
use open::{Lock, Opened};
use rusqlite::Connection;
use standing::Standing;
use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// A store in a folder, as an SQLite database and a log beside it; FORMAT.md draws them. One process at
/// a time can have it.
///
/// ```
/// use stateroom_store::{Durability, ModuleHash, SqliteStore, Store, Vitals, Write};
///
/// # let folder = tempfile::tempdir()?;
/// # let folder = folder.path();
/// let mut store = SqliteStore::open(folder, Durability::Synced)?;
/// store.commit(&[Write::Snapshot {
///     room: "lobby".into(),
///     at: 0,
///     module: ModuleHash([7; 32]),
///     state: b"empty".to_vec(),
///     vitals: Vitals::default(),
/// }])?;
/// drop(store);
///
/// let mut reader = SqliteStore::open_read_only(folder)?;
/// # use stateroom_store::Reader;
/// assert_eq!(reader.list()?.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SqliteStore {
    // Ends before the connection is closed, which is then the last one to be.
    checkpointer: Checkpointer,
    connection: Connection,
    log: Log,
    index: SharedIndex,
    path: PathBuf,
    durability: Durability,
    /// The text of a failure that was final.
    closed: Option<Arc<str>>,
    settled: Settled,
    /// Released last of all.
    _lock: Lock,
}

impl SqliteStore {
    /// Opens the store in `folder`, or makes one if there is none. Commits are as durable as
    /// `durability` says.
    ///
    /// # Errors
    /// [`InUse`](StoreError::InUse), [`CannotOpen`](StoreError::CannotOpen),
    /// [`ReadOnly`](StoreError::ReadOnly), [`NewerFormat`](StoreError::NewerFormat),
    /// [`NotAStore`](StoreError::NotAStore), [`DamagedFile`](StoreError::DamagedFile),
    /// [`Full`](StoreError::Full), [`Unreadable`](StoreError::Unreadable). None of these changes what
    /// is there.
    pub fn open(folder: &Path, durability: Durability) -> Result<Self, StoreError> {
        let Opened { connection, path, lock } = open::open(folder, durability)?;
        let scanned = scan::scan(&connection, &path)?;
        let checkpointer = Checkpointer::start(&path)?;
        // Until here it might have been refused.
        let index = open::settle(&connection, &path, durability, scanned)?;
        let (log, index) = (Log::new(folder, durability), SharedIndex::new(index));
        Ok(Self {
            checkpointer,
            connection,
            log,
            index,
            path,
            durability,
            closed: None,
            settled: Settled::default(),
            _lock: lock,
        })
    }

    /// Reads the store in `folder`, also while a server has it. Writes nothing.
    ///
    /// Meant for tools: each call opens the file and looks through it.
    ///
    /// # Errors
    /// Those of [`open`](Self::open), except `InUse` and `Full`.
    pub fn open_read_only(folder: &Path) -> Result<SqliteReader, StoreError> {
        SqliteReader::elsewhere(folder)
    }

    /// Makes the disk seem full once a file has that many pages of 4 KiB. For tests.
    #[doc(hidden)]
    pub fn limit_pages(&mut self, pages: u32) -> Result<(), StoreError> {
        self.log.limit(u64::from(pages) * 4096);
        self.connection
            .query_row(&format!("PRAGMA max_page_count = {pages}"), (), |_| Ok(()))
            .map_err(|error| failure::of_reading(&self.path, &error))
    }

    /// An error if the store takes no more writes.
    fn check_open(&mut self) -> Result<(), StoreError> {
        if let Some(reason) = &self.closed {
            return Err(StoreError::Closed { reason: reason.clone() });
        }
        match self.checkpointer.failure() {
            Some(error) => Err(self.close(error)),
            None => Ok(()),
        }
    }

    fn close(&mut self, error: StoreError) -> StoreError {
        self.closed = Some(error.to_string().into());
        error
    }

    /// Undoes what a failed transaction has begun, and says what the failure means.
    fn fail(&mut self, error: &rusqlite::Error) -> StoreError {
        let (error, is_final) = failure::of_writing(&self.path, error);
        if is_final {
            return self.close(error);
        }
        if let Err(rollback) = self.roll_back() {
            let reason = format!("{error}, and what was begun could not be undone: {rollback}");
            return self.close(StoreError::Failed { path: self.path.clone(), reason });
        }
        error
    }

    fn run(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute(())?;
        Ok(())
    }

    /// Carries out a commit that was checked.
    fn carry_out(&mut self, mut commit: Commit<'_>) -> Result<(), Failed> {
        // A new file of the log is told to the database, so that it is missed if it is lost.
        let needs_transaction =
            commit.needs_transaction() || (self.log.begins_file() && commit.has_appends());
        if needs_transaction {
            self.run("BEGIN IMMEDIATE")?;
        }
        commit.write(&self.connection)?;
        let row =
            commit.row().map_err(|error| Failed::Log(NotWritten { error, is_final: false }))?;
        let written = row.map(|row| self.log.append(&row)).transpose().map_err(Failed::Log)?;
        if !needs_transaction {
            commit.apply(&mut self.index.lock(), written);
            return Ok(());
        }
        let failed = if written.is_some() { Failed::AfterLog } else { Failed::Sqlite };
        self.end(commit, written).map_err(failed)
    }

    /// Commits the transaction of a commit, whose row is in the log.
    fn end(&mut self, commit: Commit<'_>, written: Option<Written>) -> rusqlite::Result<()> {
        if written.is_some()
            && let Some(standing) = Standing::read(&self.connection)?
        {
            Standing { newest: commit.position, ..standing }.write(&self.connection)?;
        }
        // No reader may begin between the two, or it would see a database and an index that don't fit
        // together.
        let mut index = self.index.lock();
        self.run("COMMIT")?;
        let volume = commit.volume;
        commit.apply(&mut index, written);
        drop(index);
        self.checkpointer.committed(volume);
        Ok(())
    }

    /// Undoes what a failed commit has begun, and says what the failure means.
    fn undo(&mut self, failed: Failed) -> StoreError {
        match failed {
            Failed::Sqlite(error) => self.fail(&error),
            Failed::AfterLog(error) => match self.log.take_back() {
                Ok(()) => self.fail(&error),
                Err(error) => {
                    let reason = format!("what was begun could not be undone: {error}");
                    self.close(StoreError::Failed { path: self.path.clone(), reason })
                }
            },
            Failed::Log(NotWritten { error, is_final }) => match self.roll_back() {
                Ok(()) if !is_final => error,
                _ => self.close(error),
            },
        }
    }

    /// One step, and whether it was one.
    fn maintain_once(&mut self) -> Result<bool, maintain::Failure> {
        if self.remove_segment()? {
            return Ok(true);
        }
        self.run("BEGIN IMMEDIATE")?;
        // Nobody else changes the index.
        let step = maintain::step(&self.connection, &self.index.lock())?;
        if matches!(step, maintain::Step::Nothing) {
            self.run("ROLLBACK")?;
            return Ok(false);
        }
        let mut index = self.index.lock();
        self.run("COMMIT")?;
        step.apply(&mut index);
        Ok(true)
    }

    /// Removes the oldest file of the log, if nothing in it is needed, and tells whether there was one.
    fn remove_segment(&mut self) -> Result<bool, maintain::Failure> {
        let mut index = self.index.lock();
        index.drop_dead();
        if index.oldest().is_none() && self.log.newest_bytes() > maintain::SMALL_LOG_BYTES {
            self.log.end_file().map_err(maintain::Failure::Log)?;
        }
        let Some((segment, next)) = index.spare_segment(self.log.has_ended()) else {
            return Ok(false);
        };
        drop(index);
        self.run("BEGIN IMMEDIATE")?;
        maintain::forget_before(&self.connection, next)?;
        self.run("COMMIT")?;
        if self.durability == Durability::Buffered {
            // That it is not needed must be on the disk before it is gone from there.
            open::flush_write_ahead_log(&self.path).map_err(maintain::Failure::Log)?;
        }
        self.index.lock().drop_segment();
        match fs::remove_file(&segment.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(maintain::Failure::Log(error))
            }
            _ => Ok(true),
        }
    }

    /// Leaves all in order at the end: what is in the log is flushed, or the log is removed if nothing in
    /// it is needed.
    fn leave_in_order(&mut self) -> Result<(), maintain::Failure> {
        let mut index = self.index.lock();
        index.drop_dead();
        let newest = index.next_position() - 1;
        self.log.end_file().map_err(maintain::Failure::Log)?;
        if index.oldest().is_some() && self.durability == Durability::Buffered {
            index
                .segments()
                .try_for_each(|segment| segment.flush())
                .map_err(maintain::Failure::Log)?;
        }
        drop(index);
        while self.remove_segment()? {}
        self.run("BEGIN IMMEDIATE")?;
        if let Some(standing) = Standing::read(&self.connection)? {
            Standing { newest, boot: String::new(), ..standing }.write(&self.connection)?;
        }
        self.run("COMMIT")?;
        Ok(())
    }

    /// Undoes the transaction that is open, if one is.
    fn roll_back(&mut self) -> rusqlite::Result<()> {
        // Some failures end the transaction by themselves.
        if self.connection.is_autocommit() {
            Ok(())
        } else {
            self.connection.execute_batch("ROLLBACK")
        }
    }
}

/// Why a commit was not carried out.
enum Failed {
    /// The database could not be changed.
    Sqlite(rusqlite::Error),
    /// The same, after the row of the log was written.
    AfterLog(rusqlite::Error),
    /// The row of the log could not be written.
    Log(NotWritten),
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl SqliteStore {
    fn commit_now(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        self.check_open()?;
        let checked = Commit::check(&self.connection, &self.index.lock(), self.durability, writes);
        let commit = match checked {
            Ok(commit) => commit,
            Err(CheckError::Store(error)) => return Err(error),
            Err(CheckError::Sqlite(error)) => return Err(failure::of_reading(&self.path, &error)),
        };
        if writes.is_empty() {
            return Ok(());
        }
        self.carry_out(commit).map_err(|failed| self.undo(failed))
    }
}

impl Store for SqliteStore {
    fn append(&mut self, record: &[Write]) -> Ticket {
        let result = self.commit_now(record);
        self.settled.note_result(result)
    }

    fn settle(&mut self) -> Vec<(Ticket, Outcome)> {
        self.settled.take()
    }

    fn finish(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn monitor(&self) -> Arc<dyn Monitor> {
        Arc::new(Harmless)
    }

    fn maintain(&mut self) -> Result<bool, StoreError> {
        self.check_open()?;
        match self.maintain_once() {
            Ok(more) => {
                if more {
                    self.checkpointer.committed(256 << 10);
                }
                Ok(more)
            }
            Err(maintain::Failure::Sqlite(error)) => Err(self.fail(&error)),
            Err(maintain::Failure::Log(error)) => {
                let failed = self.roll_back();
                let reason = error.to_string();
                let error = StoreError::Unreadable { path: self.path.clone(), reason };
                Err(if failed.is_err() { self.close(error) } else { error })
            }
        }
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        Ok(Box::new(SqliteReader::live(&self.path, self.index.clone())?))
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        // A store that has failed is left as it is. If this fails, all is as after a kill.
        if self.closed.is_none() {
            let _ = self.leave_in_order();
        }
        // Else the end of the connection would leave it open.
        let _ = self.roll_back();
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut formatter = formatter.debug_struct("SqliteStore");
        formatter.field("path", &self.path).field("closed", &self.closed).finish_non_exhaustive()
    }
}
