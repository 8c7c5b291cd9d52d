//! Opens the file of a store: takes the lock, checks what the file is, makes a fresh one.

use super::{
    failure,
    index::Index,
    scan::{Leftovers, Scanned},
    schema,
    standing::{self, Standing},
};
use crate::{Durability, StoreError};
use rusqlite::{Connection, OpenFlags, config::DbConfig, params};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

/// What the lock file holds once there is a store, so that its loss is not taken for a fresh start.
const MARK: &[u8] = b"A store of Stateroom is kept in this folder.\n";

/// The database of the store in `folder`.
pub(crate) fn database_path(folder: &Path) -> PathBuf {
    folder.join("rooms.db")
}

/// The write-ahead log of the database at `path`.
pub(crate) fn write_ahead_log(path: &Path) -> PathBuf {
    let mut path = path.to_owned().into_os_string();
    path.push("-wal");
    path.into()
}

/// The store of a folder, for the one who writes.
pub(crate) struct Opened {
    pub(crate) connection: Connection,
    pub(crate) path: PathBuf,
    pub(crate) lock: Lock,
}

/// Holds the store for this process until it is dropped.
pub(crate) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing is not enough: a process that is just being started has the file too, for a moment.
        // If it fails, closing will do.
        let _ = self.0.unlock();
    }
}

/// Opens the store in `folder`, or makes one.
pub(crate) fn open(folder: &Path, durability: Durability) -> Result<Opened, StoreError> {
    make_folder(folder)?;
    let lock = take_lock(folder)?;
    let lock_path = folder.join("lock");
    let mut mark = Vec::new();
    (&lock.0).take(1024).read_to_end(&mut mark).map_err(|error| cannot_open(&lock_path, error))?;

    let path = database_path(folder);
    let existed = !mark.is_empty();
    if existed && fs::metadata(&path).map_or(0, |metadata| metadata.len()) == 0 {
        return Err(StoreError::DamagedFile {
            path,
            what: format!(
                "it is missing or empty, though a store was kept here (to begin anew, remove {})",
                lock_path.display()
            ),
        });
    }
    if durability == Durability::Synced {
        look_for_holes(folder)?;
    }
    let connection =
        connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    let of_opening = |error| failure::of_opening(&path, error);
    leave_as_it_is(&connection, true).map_err(of_opening)?;
    let is_fresh = check_format(&connection, &path)?;
    if connection.is_readonly("main").map_err(of_opening)? {
        return Err(StoreError::ReadOnly { path });
    }
    if is_fresh {
        // Before there is anything in the file, or it would have no effect.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL").map_err(of_opening)?;
    }
    set_up(&connection, &path, durability)?;
    if is_fresh {
        schema::create(&connection).map_err(of_opening)?;
    }
    if !existed {
        // Only when the file is sure to be there, or its absence would be taken for a loss.
        checkpoint(&connection).map_err(of_opening)?;
        let marked = (&lock.0).write_all(MARK).and_then(|()| lock.0.sync_all());
        marked.map_err(|error| cannot_open(&lock_path, error))?;
        sync_folder(folder).map_err(|error| cannot_open(folder, error))?;
    }
    Ok(Opened { connection, path, lock })
}

/// Whether the end of this connection changes nothing in the files. Else what is in the write-ahead log
/// is copied to the database then, and the log removed.
pub(crate) fn leave_as_it_is(connection: &Connection, as_it_is: bool) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, as_it_is).map(|_| ())
}

/// An error if what was committed last is damaged in a way that SQLite would pass over. Where commits
/// are not flushed, a power cut may leave such holes rightly.
fn look_for_holes(folder: &Path) -> Result<(), StoreError> {
    let path = write_ahead_log(&database_path(folder));
    match super::write_ahead_log::has_a_hole(&path) {
        Ok(false) => Ok(()),
        Ok(true) => {
            let what = "commits follow one that cannot be read (to go on without all that was \
                        committed from there on, remove this file alone)";
            Err(StoreError::DamagedFile { path, what: what.to_owned() })
        }
        Err(error) => Err(cannot_open(&path, error)),
    }
}

/// A connection that may only be used by one thread at a time.
pub(crate) fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let of_opening = |error| failure::of_opening(path, error);
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(of_opening)?;
    connection.busy_handler(Some(wait_long)).map_err(of_opening)?;
    connection.set_prepared_statement_cache_capacity(64);
    // Finds pages that make no sense when they are read, rather than when they are used.
    connection.pragma_update(None, "cell_size_check", true).map_err(of_opening)?;
    connection.pragma_update(None, "trusted_schema", false).map_err(of_opening)?;
    Ok(connection)
}

/// Waits for a lock, some 10 seconds in all. SQLite's own way would sleep for up to 100 ms at a time,
/// while a checkpoint that commits wait for takes a few.
fn wait_long(waits: i32) -> bool {
    wait(waits, 20_000)
}

/// The same for some 20 ms.
pub(crate) fn wait_shortly(waits: i32) -> bool {
    wait(waits, 40)
}

fn wait(waits: i32, at_most: i32) -> bool {
    thread::sleep(Duration::from_micros(500));
    waits < at_most
}

/// Whether the file is fresh: an error if it is not a store, or one of a newer format.
pub(crate) fn check_format(connection: &Connection, path: &Path) -> Result<bool, StoreError> {
    let number = |sql| {
        let number = connection.query_row(sql, (), |row| row.get::<_, i32>(0));
        number.map_err(|error| failure::of_opening(path, error))
    };
    match number("PRAGMA application_id")? {
        schema::APPLICATION_ID => {}
        0 if number("SELECT count(*) FROM sqlite_schema")? == 0 => return Ok(true),
        _ => return Err(StoreError::NotAStore { path: path.to_owned() }),
    }
    let path = path.to_owned();
    match number("PRAGMA user_version")? {
        schema::FORMAT => Ok(false),
        found if found > schema::FORMAT => {
            let (found, known) = (found.cast_unsigned(), schema::FORMAT.cast_unsigned());
            Err(StoreError::NewerFormat { path, found, known })
        }
        found => Err(StoreError::OlderFormat { path, found: found.cast_unsigned() }),
    }
}

/// Clears away what was left behind in a store that is to be written to, and notes how its commits will
/// be from now on.
pub(crate) fn settle(
    connection: &Connection,
    path: &Path,
    durability: Durability,
    scanned: Scanned,
) -> Result<Index, StoreError> {
    let of_opening = |error| failure::of_opening(path, error);
    let Scanned { index, standing, greatest, leftovers } = scanned;
    leave_as_it_is(connection, false).map_err(of_opening)?;
    clear_away(&leftovers)?;
    let boot = match durability {
        Durability::Synced => String::new(),
        Durability::Buffered => standing::this_boot(),
    };
    let newest = index.next_position() - 1;
    let now = Standing { newest, boot, ..standing.clone() };
    let is_last = has_been_given(connection, greatest).map_err(of_opening)?;
    if durability == Durability::Synced {
        // A process that was killed may have written what it had yet to flush, and an earlier one may
        // have flushed nothing. Nobody is told of it before it is sure.
        for segment in index.segments() {
            segment.flush().map_err(|error| cannot_open(&segment.path, error))?;
        }
    }
    if now != standing || !is_last {
        let noted = connection
            .execute_batch("BEGIN IMMEDIATE")
            .and_then(|()| now.write(connection))
            .and_then(|()| if is_last { Ok(()) } else { give_numbers_after(connection, greatest) })
            .and_then(|()| connection.execute_batch("COMMIT"));
        noted.map_err(of_opening)?;
    }
    flush_write_ahead_log(path).map_err(|error| cannot_open(path, error))?;
    Ok(index)
}

/// Flushes what commits of the database at `path` have not.
pub(crate) fn flush_write_ahead_log(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).open(write_ahead_log(path)) {
        Ok(file) => file.sync_data(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn clear_away(leftovers: &Leftovers) -> Result<(), StoreError> {
    if let Some((path, end)) = &leftovers.torn {
        let cut = OpenOptions::new().write(true).open(path).and_then(|file| {
            file.set_len(*end)?;
            file.sync_all()
        });
        cut.map_err(|error| cannot_open(path, error))?;
    }
    for path in &leftovers.files {
        fs::remove_file(path).map_err(|error| cannot_open(path, error))?;
    }
    Ok(())
}

/// Whether rooms will have greater numbers from now on. Else the log has something of a room that was
/// never committed, which another one must not take for its own.
fn has_been_given(connection: &Connection, number: i64) -> rusqlite::Result<bool> {
    let sql = "SELECT coalesce(max(seq), 0) >= ?1 FROM sqlite_sequence WHERE name = 'rooms'";
    connection.query_row(sql, [number], |row| row.get(0))
}

fn give_numbers_after(connection: &Connection, number: i64) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM sqlite_sequence WHERE name = 'rooms'", ())?;
    let sql = "INSERT INTO sqlite_sequence (name, seq) VALUES ('rooms', ?1)";
    connection.execute(sql, params![number]).map(|_| ())
}

fn set_up(connection: &Connection, path: &Path, durability: Durability) -> Result<(), StoreError> {
    let of_opening = |error| failure::of_opening(path, error);
    let mode: String = connection
        .query_row("PRAGMA journal_mode = WAL", (), |row| row.get(0))
        .map_err(of_opening)?;
    if mode != "wal" {
        let reason = format!("its file system cannot share memory between processes ({mode})");
        return Err(cannot_open(path, io::Error::other(reason)));
    }
    let synchronous = match durability {
        Durability::Buffered => "NORMAL",
        Durability::Synced => "FULL",
    };
    connection.pragma_update(None, "synchronous", synchronous).map_err(of_opening)?;
    // Another thread does it.
    connection.pragma_update(None, "wal_autocheckpoint", 0).map_err(of_opening)
}

/// Copies what is in the write-ahead log to the database itself, and flushes that.
fn checkpoint(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()))
}

fn take_lock(folder: &Path) -> Result<Lock, StoreError> {
    let path = folder.join("lock");
    let options = OpenOptions::new().read(true).append(true).create(true).open(&path);
    let lock = options.map_err(|error| cannot_open(&path, error))?;
    match lock.try_lock() {
        Ok(()) => Ok(Lock(lock)),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { folder: folder.to_owned() }),
        Err(TryLockError::Error(error)) => Err(cannot_open(&path, error)),
    }
}

fn make_folder(folder: &Path) -> Result<(), StoreError> {
    if folder.is_dir() {
        return Ok(());
    }
    let made = fs::create_dir_all(folder).and_then(|()| match folder.parent() {
        Some(parent) if parent != Path::new("") => sync_folder(parent),
        _ => Ok(()),
    });
    made.map_err(|error| cannot_open(folder, error))
}

/// Makes what was created in `folder` survive power loss.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    // Other systems don't let a folder be opened, and don't need it.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

fn cannot_open(path: &Path, error: io::Error) -> StoreError {
    let path = path.to_owned();
    match error.kind() {
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            StoreError::ReadOnly { path }
        }
        io::ErrorKind::StorageFull => StoreError::Full { path },
        _ => StoreError::CannotOpen { path, source: Arc::new(error) },
    }
}
