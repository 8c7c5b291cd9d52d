//! The files of the system.

use super::{DatabaseError, Files, OpenFile};
use rusqlite::{Connection, OpenFlags, config::DbConfig};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, IoSlice},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

/// The system's own files.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealFiles;

#[derive(Debug)]
struct RealFile {
    file: File,
    is_locked: AtomicBool,
}

impl RealFile {
    fn shared(file: File) -> Arc<dyn OpenFile> {
        Arc::new(RealFile { file, is_locked: AtomicBool::new(false) })
    }
}

impl Files for RealFiles {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn OpenFile>> {
        let file = OpenOptions::new().read(true).write(true).open(path);
        let is_forbidden = |error: &io::Error| {
            use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
            matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem)
        };
        match file {
            Err(error) if is_forbidden(&error) => Ok(RealFile::shared(File::open(path)?)),
            file => Ok(RealFile::shared(file?)),
        }
    }

    fn create(&self, path: &Path, may_exist: bool) -> io::Result<Arc<dyn OpenFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).create_new(!may_exist);
        Ok(RealFile::shared(options.open(path)?))
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        fs::create_dir_all(path)?;
        match path.parent() {
            Some(parent) if parent != Path::new("") => self.flush_folder(parent),
            _ => Ok(()),
        }
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let names = fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name()));
        // What is no UTF-8 is not ours.
        let names: io::Result<Vec<_>> = names.collect();
        Ok(names?.into_iter().filter_map(|name| name.into_string().ok()).collect())
    }

    fn flush_folder(&self, folder: &Path) -> io::Result<()> {
        // Other systems don't let a folder be opened, and don't need it.
        if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn identity(&self, path: &Path) -> io::Result<Option<(u64, u64)>> {
        Ok(identity(&fs::metadata(path)?))
    }

    #[cfg(unix)]
    fn hold_folder(&self, folder: &Path) -> io::Result<Option<Box<dyn Send + Sync>>> {
        let folder = fs::File::open(folder)?;
        match folder.try_lock() {
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            // Not every file system locks folders; the file in it is locked all the same.
            Ok(()) | Err(fs::TryLockError::Error(_)) => Ok(Some(Box::new(folder))),
        }
    }

    fn boot(&self) -> Option<String> {
        boot()
    }

    fn open_database(
        &self,
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
            _ => copy_in_place(&log)?,
        }
        let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        check_length(&connection, path)?;
        set_up(&connection)?;
        Ok(Some(connection))
    }

    fn create_database(&self, path: &Path) -> Result<Connection, DatabaseError> {
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

    fn read_database(&self, path: &Path) -> Result<Option<Connection>, DatabaseError> {
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

    fn database_age(&self) -> Option<u64> {
        None
    }

    fn commit_database(&self, _: &Path, connection: &Connection) -> rusqlite::Result<()> {
        connection.prepare_cached("COMMIT")?.execute(()).map(|_| ())
    }

    fn database_log_bytes(&self, path: &Path) -> u64 {
        length(&write_ahead_log(path)).unwrap_or(0)
    }
}

impl OpenFile for RealFile {
    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        #[cfg(any(target_os = "linux", target_os = "freebsd"))]
        return Ok(rustix::io::pwritev(&self.file, parts, offset)?);
        #[cfg(all(unix, not(any(target_os = "linux", target_os = "freebsd"))))]
        {
            use std::os::unix::fs::FileExt;
            self.file.write_at(&parts.concat_bytes(), offset)
        }
        #[cfg(windows)]
        {
            use std::os::windows::fs::FileExt;
            self.file.seek_write(&parts.concat_bytes(), offset)
        }
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let at = offset + done as u64;
            #[cfg(unix)]
            let read = std::os::unix::fs::FileExt::read_at(&self.file, rest, at);
            #[cfg(windows)]
            let read = std::os::windows::fs::FileExt::seek_read(&self.file, rest, at);
            match read {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn flush(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        match rustix::fs::fallocate(&self.file, rustix::fs::FallocateFlags::empty(), 0, length) {
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) | Ok(()) => {}
            Err(error) => return Err(error.into()),
        }
        let _ = length;
        Ok(())
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn try_lock(&self) -> io::Result<bool> {
        match self.file.try_lock() {
            Ok(()) => {
                self.is_locked.store(true, Relaxed);
                Ok(true)
            }
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn identity(&self) -> io::Result<Option<(u64, u64)>> {
        Ok(identity(&self.file.metadata()?))
    }
}

impl Drop for RealFile {
    fn drop(&mut self) {
        // Closing is not enough: a process that is just being started has the file too, for a moment.
        if self.is_locked.load(Relaxed) {
            let _ = self.file.unlock();
        }
    }
}

/// The parts as one, where the system writes only one at a place.
#[cfg(not(any(target_os = "linux", target_os = "freebsd")))]
trait ConcatBytes {
    fn concat_bytes(&self) -> Vec<u8>;
}

#[cfg(not(any(target_os = "linux", target_os = "freebsd")))]
impl ConcatBytes for [IoSlice<'_>] {
    fn concat_bytes(&self) -> Vec<u8> {
        self.iter().flat_map(|part| part.iter().copied()).collect()
    }
}

#[cfg(unix)]
fn identity(metadata: &fs::Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(_: &fs::Metadata) -> Option<(u64, u64)> {
    None
}

#[cfg(target_os = "macos")]
fn boot() -> Option<String> {
    let output = std::process::Command::new("/usr/sbin/sysctl");
    let output = { output }.args(["-n", "kern.bootsessionuuid"]).output().ok()?;
    let name = String::from_utf8(output.stdout).ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

#[cfg(not(target_os = "macos"))]
fn boot() -> Option<String> {
    let name = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
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
fn copy_in_place(path: &Path) -> io::Result<()> {
    let copy = beside(path, ".copy");
    fs::copy(path, &copy)?;
    OpenOptions::new().write(true).open(&copy)?.sync_all()?;
    fs::rename(&copy, path)?;
    RealFiles.flush_folder(path.parent().unwrap_or(Path::new(".")))
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
