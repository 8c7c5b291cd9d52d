//! SQLite's databases in the system's files.

use super::{DatabaseError, Files};
use rusqlite::{Connection, OpenFlags, config::DbConfig};
use std::{
    fs::{self, OpenOptions},
    io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// Opens a database to write to it. `None` if there is none, or its write-ahead log is `needed` and missing.
pub(super) fn open(
    files: &dyn Files,
    path: &Path,
    needed: bool,
) -> Result<Option<Connection>, DatabaseError> {
    if length(path)? == 0 {
        return Ok(None);
    }
    let log = write_ahead_log(path);
    match length(&log)? {
        0 if needed => return Ok(None),
        0 => {}
        // What the last process could not flush, the system may show without having it on the disk.
        _ => copy_in_place(files, &log)?,
    }
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    check_length(&connection, path)?;
    set_up(&connection)?;
    Ok(Some(connection))
}

/// Makes a database anew.
pub(super) fn create(path: &Path) -> Result<Connection, DatabaseError> {
    for path in [path.to_owned(), write_ahead_log(path), beside(path, "-shm")] {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let connection = connect(path, flags)?;
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    set_up(&connection)?;
    Ok(connection)
}

/// Opens a database only to read it. `None` if there is none.
pub(super) fn read(path: &Path) -> Result<Option<Connection>, DatabaseError> {
    if length(path)? == 0 {
        return Ok(None);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    if length(&write_ahead_log(path))? > 0 {
        return Ok(Some(connect(path, flags)?));
    }
    // Without a write-ahead log, SQLite is told not to make one.
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
    Ok(Some(connect(Path::new(&uri), flags | OpenFlags::SQLITE_OPEN_URI)?))
}

/// How many bytes the write-ahead log of a database has.
pub(super) fn log_bytes(path: &Path) -> u64 {
    length(&write_ahead_log(path)).unwrap_or(0)
}

fn length(path: &Path) -> io::Result<u64> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut path = path.to_owned().into_os_string();
    path.push(end);
    path.into()
}

fn write_ahead_log(path: &Path) -> PathBuf {
    beside(path, "-wal")
}

/// Writes a file anew under its name, so that it is on the disk as it is seen.
fn copy_in_place(files: &dyn Files, path: &Path) -> io::Result<()> {
    let copy = beside(path, ".copy");
    fs::copy(path, &copy)?;
    OpenOptions::new().write(true).open(&copy)?.sync_all()?;
    fs::rename(&copy, path)?;
    files.flush_folder(path.parent().unwrap_or(Path::new(".")))
}

/// A connection that may only be used by one thread at a time.
fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_handler(Some(|waits| {
        thread::sleep(Duration::from_micros(500));
        waits < 2_000
    }))?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(connection)
}

/// Whether there are as many pages as there should be: of a file that was cut off nothing is to be changed.
fn check_length(connection: &Connection, path: &Path) -> Result<(), DatabaseError> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let (pages, page) =
        (number("page_count")?.cast_unsigned(), number("page_size")?.cast_unsigned());
    let in_file = length(path)? / page.max(1);
    // Each has a head of 24 bytes.
    let in_log = length(&write_ahead_log(path))? / (page + 24);
    if pages > in_file.saturating_add(in_log) {
        let corrupt = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
        return Err(rusqlite::Error::SqliteFailure(corrupt, None).into());
    }
    Ok(())
}

fn set_up(connection: &Connection) -> Result<(), DatabaseError> {
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", (), |row| row.get(0))?;
    if mode != "wal" {
        let reason = format!("its file system cannot share memory between processes ({mode})");
        return Err(io::Error::other(reason).into());
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", 4 << 20)?;
    Ok(())
}
