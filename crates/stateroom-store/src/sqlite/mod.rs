//! A store in one SQLite file.

mod changes;
mod checkpoint;
mod checksum;
mod commit;
mod failure;
mod index;
mod maintain;
mod open;
mod reader;
mod reading;
mod room_row;
mod scan;
mod schema;
mod table_of_contents;
mod write_ahead_log;

pub use reader::SqliteReader;

use crate::{Durability, Reader, Store, StoreError, Write};
use checkpoint::Checkpointer;
use commit::{CheckError, Commit};
use index::SharedIndex;
use open::{Lock, Opened};
use rusqlite::Connection;
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

/// A store in a folder, as an SQLite database; FORMAT.md draws it. One process at a time can have it.
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
    index: SharedIndex,
    path: PathBuf,
    /// The text of a failure that was final.
    closed: Option<Arc<str>>,
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
        let index = SharedIndex::new(scan::scan(&connection, &path)?);
        let checkpointer = Checkpointer::start(&path)?;
        // Until here it might have been refused.
        open::leave_as_it_is(&connection, false)
            .map_err(|error| failure::of_opening(&path, error))?;
        Ok(Self { checkpointer, connection, index, path, closed: None, _lock: lock })
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

    /// Makes the disk seem full once the file has that many pages of 4 KiB. For tests.
    #[doc(hidden)]
    pub fn limit_pages(&self, pages: u32) -> Result<(), StoreError> {
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
        // Some failures end the transaction by themselves.
        if !self.connection.is_autocommit()
            && let Err(rollback) = self.connection.execute_batch("ROLLBACK")
        {
            let reason = format!("{error}, and what was begun could not be undone: {rollback}");
            return self.close(StoreError::Failed { path: self.path.clone(), reason });
        }
        error
    }

    fn run(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute(())?;
        Ok(())
    }

    fn write(&self, commit: &mut Commit<'_>) -> rusqlite::Result<()> {
        self.run("BEGIN IMMEDIATE")?;
        commit.write()
    }

    /// One step, and whether it was one.
    fn maintain_once(&self) -> rusqlite::Result<bool> {
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
}

impl Store for SqliteStore {
    fn commit(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        self.check_open()?;
        let checked = Commit::check(&self.connection, &self.index.lock(), writes);
        let mut commit = match checked {
            Ok(commit) => commit,
            Err(CheckError::Store(error)) => return Err(error),
            Err(CheckError::Sqlite(error)) => return Err(failure::of_reading(&self.path, &error)),
        };
        if writes.is_empty() {
            return Ok(());
        }
        let volume = match self.write(&mut commit) {
            Err(error) => return Err(self.fail(&error)),
            Ok(()) => {
                // No reader may begin between the two, or it would see a file and an index that
                // don't fit together.
                let mut index = self.index.lock();
                let volume = commit.volume;
                match self.run("COMMIT") {
                    Ok(()) => commit.apply(&mut index),
                    Err(error) => {
                        drop((index, commit));
                        return Err(self.fail(&error));
                    }
                }
                volume
            }
        };
        self.checkpointer.committed(volume);
        Ok(())
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
            Err(error) => Err(self.fail(&error)),
        }
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        Ok(Box::new(SqliteReader::live(&self.path, self.index.clone())?))
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut formatter = formatter.debug_struct("SqliteStore");
        formatter.field("path", &self.path).field("closed", &self.closed).finish_non_exhaustive()
    }
}
