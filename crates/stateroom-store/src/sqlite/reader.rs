//! Reads a store in SQLite: while it is being written by this process, or from another one.

use super::{
    failure,
    index::{Index, Journal, SharedIndex},
    open,
    reading::{self, ReadError, Whereabouts},
    scan,
    standing::Standing,
};
use crate::{ModuleHash, Quarantined, Reader, RoomSummary, StoreError, StoredRoom, Vitals};
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Reads a store in SQLite.
pub struct SqliteReader {
    path: PathBuf,
    source: Source,
}

enum Source {
    /// Of the process that writes.
    Live { connection: Connection, index: SharedIndex },
    /// Of another process, or of nobody's. The file is opened and scanned for each call.
    Elsewhere,
}

impl SqliteReader {
    /// Reads beside the one who writes, whose index is `index`.
    pub(crate) fn live(path: &Path, index: SharedIndex) -> Result<Self, StoreError> {
        let connection = open::connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        Ok(Self { path: path.to_owned(), source: Source::Live { connection, index } })
    }

    /// Reads the store in `folder`, whether or not some process is writing it.
    pub(crate) fn elsewhere(folder: &Path) -> Result<Self, StoreError> {
        let path = open::database_path(folder);
        let mut reader = Self { path, source: Source::Elsewhere };
        // Says now what is wrong with it.
        reader.at_one_moment(|_| (), |_, ()| Ok(()))?;
        Ok(reader)
    }

    /// Reads what belongs together: `take` picks from the index what `read` then needs beside the
    /// file.
    fn at_one_moment<K, T>(
        &mut self,
        take: impl Fn(&Index) -> K,
        read: impl Fn(&Connection, K) -> Result<T, ReadError>,
    ) -> Result<T, StoreError> {
        let path = &self.path;
        let of_reading = |error| failure::of_reading(path, &error);
        let told = |error| match error {
            ReadError::Sqlite(error) => of_reading(error),
            ReadError::Store(error) => error,
        };
        match &mut self.source {
            Source::Live { connection, index } => {
                let index = index.lock();
                let transaction = connection.transaction().map_err(of_reading)?;
                // The first read decides which moment the transaction sees; no commit can come
                // between it and the look at the index.
                let pin = "SELECT 1 FROM rooms LIMIT 1";
                let pinned = transaction
                    .prepare_cached(pin)
                    .and_then(|mut statement| statement.query_row((), |_| Ok(())).optional());
                pinned.map_err(of_reading)?;
                let taken = take(&index);
                drop(index);
                read(&transaction, taken).map_err(told)
            }
            Source::Elsewhere => loop {
                let quiet = !open::write_ahead_log(path).exists();
                let first = |connection: &Connection| {
                    let standing = Standing::read(connection).map_err(of_reading)?;
                    Ok(standing.map(|standing| standing.first))
                };
                let mut connection = connect_elsewhere(path, quiet)?;
                if open::check_format(&connection, path)? {
                    return Err(StoreError::NotAStore { path: path.clone() });
                }
                let transaction = connection.transaction().map_err(of_reading)?;
                let before = first(&transaction)?;
                let result = scan::scan(&transaction, path)
                    .and_then(|scanned| read(&transaction, take(&scanned.index)).map_err(told));
                drop(transaction);
                // If somebody has begun to write meanwhile, or has removed files of the log, what was
                // read may be of no moment.
                let is_of_one = !(quiet && open::write_ahead_log(path).exists())
                    && before == first(&connection)?;
                if is_of_one {
                    return result;
                }
            },
        }
    }
}

/// Opens the file so that nothing is written. When it is `quiet`, there is no write-ahead log, and
/// SQLite is told not to make one either.
fn connect_elsewhere(path: &Path, quiet: bool) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    if !quiet {
        return open::connect(path, flags);
    }
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' => {
                uri.push(char::from(*byte));
            }
            _ => uri.push_str(&format!("%{byte:02x}")),
        }
    }
    uri.push_str("?immutable=1");
    open::connect(Path::new(&uri), flags | OpenFlags::SQLITE_OPEN_URI).map_err(
        |error| match error {
            StoreError::CannotOpen { source, .. } => {
                StoreError::CannotOpen { path: path.to_owned(), source }
            }
            StoreError::NotAStore { .. } => StoreError::NotAStore { path: path.to_owned() },
            error => error,
        },
    )
}

impl Reader for SqliteReader {
    fn load(&mut self, room: &str) -> Result<Option<StoredRoom>, StoreError> {
        self.at_one_moment(
            |index| Whereabouts::of(room, index),
            |connection, journal| reading::load(connection, room, journal),
        )
    }

    fn list(&mut self) -> Result<Vec<RoomSummary>, StoreError> {
        self.at_one_moment(Index::briefs, |connection, briefs| reading::list(connection, &briefs))
    }

    fn summary(&mut self, room: &str) -> Result<Option<RoomSummary>, StoreError> {
        self.at_one_moment(
            |index| index.journal(room).map(Journal::brief),
            |connection, brief| reading::summary(connection, room, brief),
        )
    }

    fn needing_attention(&mut self) -> Result<Vec<(Arc<str>, Vitals)>, StoreError> {
        self.at_one_moment(Index::briefs, |connection, briefs| {
            reading::needing_attention(connection, &briefs)
        })
    }

    fn forgettable(&mut self, _: u64, _: usize) -> Result<Vec<Arc<str>>, StoreError> {
        // This format does not tell when a room heard something last.
        Ok(Vec::new())
    }

    fn quarantined(&mut self, room: &str) -> Result<Vec<Quarantined>, StoreError> {
        self.at_one_moment(|_| (), |connection, ()| reading::quarantined(connection, room))
    }

    fn module(&mut self, hash: &ModuleHash) -> Result<Option<Vec<u8>>, StoreError> {
        self.at_one_moment(|_| (), |connection, ()| reading::module(connection, hash))
    }
}

impl fmt::Debug for SqliteReader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SqliteReader").field("path", &self.path).finish_non_exhaustive()
    }
}
