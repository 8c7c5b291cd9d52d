//! Reads a store from another process, or one that nobody writes. Writes nothing, and believes damage only
//! when it has seen it twice: whoever writes may have taken something away meanwhile.

use crate::{
    ModuleHash, Quarantined, Reader, RoomCount, RoomSummary, StoreError, StoredRoom, Vitals,
    checkpoint::{database, schema},
    failure,
    faults::{Deliberate, is_on},
    files::{Bytes, Files, OpenFile, read_all},
    index::Index,
    log::{compose::Known, segment::Segment, writer::file_name},
    recovery::{
        boot,
        chain::LogFile,
        decide,
        folder::{self, There},
        gather, recover,
    },
    view::{ReadError, View},
};
use rusqlite::Connection;
use std::{
    collections::HashMap,
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

/// How often something is looked at that changes meanwhile.
const LOOKS: u32 = 50;

/// Reads the store in a folder, also while a server has it. Each call looks at the folder anew.
pub struct FileReader {
    folder: PathBuf,
    files: Arc<dyn Files>,
    /// What the last look saw: the names in the log's folder, and up to where the checkpoint was.
    seen: Seen,
}

type Seen = (Vec<String>, u64);

impl fmt::Debug for FileReader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("FileReader").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// Why a look did not succeed.
enum Missed {
    /// Something has changed meanwhile.
    Changed,
    /// It is so, or seems so.
    Error(StoreError),
}

impl From<StoreError> for Missed {
    fn from(error: StoreError) -> Self {
        Missed::Error(error)
    }
}

/// The store as it was at one moment.
struct Moment {
    index: Index,
    segments: Vec<Arc<Segment>>,
    connection: Option<Connection>,
}

impl FileReader {
    pub(crate) fn open(folder: &Path, files: Arc<dyn Files>) -> Result<Self, StoreError> {
        let mut reader = FileReader { folder: folder.to_owned(), files, seen: Seen::default() };
        // Says now what is wrong with it.
        reader.at_one_moment(|_, _| Ok(()))?;
        Ok(reader)
    }

    fn at_one_moment<T>(
        &mut self,
        read: impl Fn(&View<'_>, &Index) -> Result<T, ReadError>,
    ) -> Result<T, StoreError> {
        let mut damaged: Option<(String, Seen)> = None;
        for look in 1.. {
            let database = self.folder.join("rooms.db");
            let was_quiet = self.files.database_log_bytes(&database) == 0;
            let result = self.moment().and_then(|moment| {
                let view = View {
                    files: &*self.files,
                    folder: &self.folder,
                    segments: &moment.segments,
                    connection: moment.connection.as_ref(),
                };
                read(&view, &moment.index).map_err(|error| Missed::Error(self.told(error)))
            });
            // SQLite was told that nobody writes.
            let is_quiet = self.files.database_log_bytes(&database) == 0;
            let result = if was_quiet && !is_quiet { Err(Missed::Changed) } else { result };
            match result {
                Ok(result) => return Ok(result),
                Err(_) if look >= LOOKS => break,
                Err(Missed::Changed) => damaged = None,
                Err(Missed::Error(error)) => {
                    let is_damage = matches!(
                        error,
                        StoreError::Damaged { .. }
                            | StoreError::DamagedFile { .. }
                            | StoreError::DamagedModule { .. }
                    );
                    // It is so if a second look sees the same.
                    let now = (error.to_string(), self.seen.clone());
                    if !is_damage
                        || damaged.as_ref() == Some(&now)
                        || is_on(Deliberate::ReaderWithoutSecondLook)
                    {
                        return Err(error);
                    }
                    damaged = Some(now);
                }
            }
            if self.files.database_age().is_none() {
                thread::sleep(Duration::from_millis(2));
            }
        }
        let reason = "its files change too quickly to be read".to_owned();
        Err(StoreError::Unreadable { path: self.folder.clone(), reason })
    }

    fn told(&self, error: ReadError) -> StoreError {
        match error {
            ReadError::Store(error) => error,
            ReadError::Sqlite(error) => failure::of_query(&self.folder.join("rooms.db"), &error),
            ReadError::Io(error) => failure::of_reading(&self.folder, &error),
        }
    }

    fn moment(&mut self) -> Result<Moment, Missed> {
        self.seen = Seen::default();
        if folder::look(&*self.files, &self.folder, None)? == There::Nothing {
            return self.before_the_first_record();
        }
        // The log first, the newest file first; then the checkpoint, which may be ahead of it by then.
        let found = self.read_log()?;
        let connection = self.connect()?;
        let (mark, reaches) = match &connection {
            None => (None, 0),
            Some(connection) => {
                let mark = database::mark(connection, &self.folder.join("rooms.db"))?;
                self.seen.1 = mark.0.applied;
                (Some(mark.0), mark.1)
            }
        };
        let boot = boot::boot_of(&*self.files);
        let chain = decide::look(&found, mark, boot)
            .map_err(|unusable| Missed::Error(recover::told(&self.folder, unusable)))?;
        if reaches > chain.last() && !is_on(Deliberate::ReaderTakesRowsAhead) {
            return Err(Missed::Changed);
        }
        let (index, segments, _) = gather::gather(&found, &chain, u64::MAX);
        Ok(Moment { index, segments: segments.into(), connection })
    }

    /// Whoever wanted to begin a store here has not come to it: then there are no rooms. Else this is no
    /// store.
    fn before_the_first_record(&self) -> Result<Moment, Missed> {
        let listed = match self.files.list(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            listed => Some(listed.map_err(|error| failure::of_reading(&self.folder, &error))?),
        };
        if listed.is_some_and(|it| it.is_empty() || it.iter().any(|name| name == "lock")) {
            return Ok(Moment { index: Index::default(), segments: Vec::new(), connection: None });
        }
        Err(StoreError::NotAStore { path: self.folder.clone() }.into())
    }

    fn read_log(&mut self) -> Result<Vec<LogFile>, Missed> {
        let log = self.folder.join("log");
        let listed = match self.files.list(&log) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Missed::Changed),
            listed => listed.map_err(|error| failure::of_reading(&log, &error))?,
        };
        self.seen.0.clone_from(&listed);
        let mut numbers: Vec<u64> =
            listed.iter().filter_map(|name| folder::log_number(name)).collect();
        numbers.sort_unstable_by(|one, other| other.cmp(one));
        let mut found = Vec::new();
        for number in numbers {
            let path = log.join(file_name(number));
            let file = match self.files.open(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    if is_on(Deliberate::ReaderSkipsVanished) {
                        continue;
                    }
                    return Err(Missed::Changed);
                }
                file => file.map_err(|error| failure::of_opening(&path, error))?,
            };
            let bytes = read_all(&*file).map_err(|error| failure::of_reading(&path, &error))?;
            let bytes = Arc::new(bytes);
            // As it is now, whatever becomes of the file.
            let file: Arc<dyn OpenFile> = Arc::new(Bytes(bytes.clone()));
            found.push(LogFile { number, path, file, bytes });
        }
        found.reverse();
        Ok(found)
    }

    /// A connection in a transaction.
    fn connect(&self) -> Result<Option<Connection>, Missed> {
        let path = self.folder.join("rooms.db");
        let connection = self.files.read_database(&path);
        let connection = connection.map_err(|error| failure::of_database(&path, error))?;
        let Some(connection) = connection else { return Ok(None) };
        let of_query = |error| Missed::Error(failure::of_query(&path, &error));
        connection.execute_batch("BEGIN").map_err(of_query)?;
        Ok(schema::check(&connection, &path)?.then_some(connection))
    }
}

fn all(index: &Index) -> HashMap<Arc<str>, Known> {
    index.rooms().map(|(room, known)| (room.clone(), known)).collect()
}

impl Reader for FileReader {
    fn load(&mut self, room: &str) -> Result<Option<StoredRoom>, StoreError> {
        self.at_one_moment(|view, index| view.load(room, index.room(room)))
    }

    fn list(&mut self) -> Result<Vec<RoomSummary>, StoreError> {
        self.at_one_moment(|view, index| view.list(&all(index)))
    }

    fn summary(&mut self, room: &str) -> Result<Option<RoomSummary>, StoreError> {
        self.at_one_moment(|view, index| view.summary(room, index.room(room)))
    }

    fn count(&mut self, code: Option<&ModuleHash>) -> Result<RoomCount, StoreError> {
        self.at_one_moment(|view, index| view.count(&all(index), code))
    }

    fn needing_attention(&mut self) -> Result<Vec<(Arc<str>, Vitals)>, StoreError> {
        self.at_one_moment(|view, index| view.needing_attention(&all(index)))
    }

    fn forgettable(&mut self, before: u64, most: usize) -> Result<Vec<Arc<str>>, StoreError> {
        self.at_one_moment(|view, index| view.forgettable(&all(index), before, most))
    }

    fn quarantined(&mut self, room: &str) -> Result<Vec<Quarantined>, StoreError> {
        self.at_one_moment(|view, index| view.quarantined(room, index.room(room)))
    }

    fn module(&mut self, hash: &ModuleHash) -> Result<Option<Vec<u8>>, StoreError> {
        self.at_one_moment(|view, index| view.module(hash, index.module(hash)))
    }
}
