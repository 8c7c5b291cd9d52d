//! The files of the system.

use super::{DatabaseError, Files, OpenFile, real_database};
use rusqlite::Connection;
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, IoSlice},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
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
        real_database::open(self, path, needed)
    }

    fn create_database(&self, path: &Path) -> Result<Connection, DatabaseError> {
        real_database::create(path)
    }

    fn read_database(&self, path: &Path) -> Result<Option<Connection>, DatabaseError> {
        real_database::read(path)
    }

    fn database_age(&self) -> Option<u64> {
        None
    }

    fn commit_database(&self, _: &Path, connection: &Connection) -> rusqlite::Result<()> {
        connection.prepare_cached("COMMIT")?.execute(()).map(|_| ())
    }

    fn database_log_bytes(&self, path: &Path) -> u64 {
        real_database::log_bytes(path)
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
