//! Compiled modules on disk, so that a module is compiled once and not at each start.
//!
//! An entry is a file named by its [`Key`]: a checksum, and the machine code. One that can't be read,
//! is damaged or is of another version is as none; nothing that goes wrong here keeps a module from
//! being loaded.

use crate::private_folder;
use sha2::{Digest, Sha256};
use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions},
    hash::{Hash, Hasher},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::SystemTime,
};
use wasmtime::Engine;

/// Of what this file writes; to be raised when it changes.
const FORMAT: &[u8] = b"stateroom cache 1";

/// How entries' names end.
const EXTENSION: &str = "stateroom-code";

/// How many entries are kept, the newest: a megabyte or so each, one for each build of a service.
const MOST_ENTRIES: usize = 32;

/// A folder of compiled modules that only this user can write to.
pub(crate) struct Cache {
    folder: PathBuf,
}

/// Names one module as compiled by one engine.
pub(crate) struct Key(String);

/// Machine code as it was read from the cache, whole.
pub(crate) struct Cached(Vec<u8>);

impl Key {
    /// The key of `binary`, prepared, in `engine`.
    pub(crate) fn of(engine: &Engine, binary: &[u8]) -> Key {
        let mut digest = Digesting(Sha256::new_with_prefix(FORMAT));
        engine.precompile_compatibility_hash().hash(&mut digest);
        digest.write(env!("CARGO_PKG_VERSION").as_bytes());
        digest.write(binary);
        Key(digest.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// Lets a digest take what can be hashed.
struct Digesting(Sha256);

impl Hasher for Digesting {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

impl Cached {
    /// Takes apart what [`entry`] has put together; `None` when it is damaged.
    fn of(mut entry: Vec<u8>) -> Option<Cached> {
        let checksum = Sha256::output_size();
        let (sum, code) = entry.split_at_checked(checksum)?;
        let whole = Sha256::digest(code).as_slice() == sum;
        whole.then(|| {
            entry.drain(..checksum);
            Cached(entry)
        })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Cache {
    /// The cache in `folder`, which is made if need be; `None`, and a line in the log, when others
    /// could have put something there.
    pub(crate) fn open(folder: &Path) -> Option<Cache> {
        match private_folder::open(folder) {
            Ok(folder) => Some(Cache { folder }),
            Err(reason) => {
                tracing::warn!(%reason, "compiled modules are not cached");
                None
            }
        }
    }

    /// What was put under `key`, if it is there and whole.
    pub(crate) fn get(&self, key: &Key) -> Option<Cached> {
        let path = self.path(key);
        let entry = match fs::read(&path) {
            Ok(entry) => entry,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "a compiled module cannot be read");
                return None;
            }
        };
        let code = Cached::of(entry);
        if code.is_none() {
            tracing::warn!(path = %path.display(), "a compiled module is damaged: compiling again");
        }
        code
    }

    /// Puts `code` under `key`, and lets go of what is oldest.
    pub(crate) fn put(&self, key: &Key, code: &[u8]) {
        if let Err(error) = self.write(key, code).and_then(|()| self.remove_oldest()) {
            let folder = self.folder.display();
            tracing::warn!(%folder, %error, "a compiled module cannot be cached");
        }
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.folder.join(format!("{}.{EXTENSION}", key.0))
    }

    /// Writes beside, then renames: others see the old entry or the new one, never a part.
    fn write(&self, key: &Key, code: &[u8]) -> io::Result<()> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let (process, number) = (std::process::id(), NUMBER.fetch_add(1, Relaxed));
        // It ends like an entry, so that one which was left behind is removed in its time.
        let name = format!("{}.{process}-{number}.{EXTENSION}", key.0);
        let unfinished = self.folder.join(name);
        let written = write_new(&unfinished, code);
        let renamed = written.and_then(|()| fs::rename(&unfinished, self.path(key)));
        if renamed.is_err() {
            // It may not even be there, and the error that matters is the first.
            let _ = fs::remove_file(&unfinished);
        }
        renamed
    }

    fn remove_oldest(&self) -> io::Result<()> {
        let mut entries: Vec<(SystemTime, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.extension() == Some(OsStr::new(EXTENSION)) {
                // Another process may have just removed it.
                if let Ok(modified) = path.metadata().and_then(|metadata| metadata.modified()) {
                    entries.push((modified, path));
                }
            }
        }
        entries.sort();
        let excess = entries.len().saturating_sub(MOST_ENTRIES);
        for (_, path) in entries.iter().take(excess) {
            fs::remove_file(path)?;
        }
        Ok(())
    }
}

fn write_new(path: &Path, code: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file: File = options.open(path)?;
    file.write_all(&Sha256::digest(code))?;
    file.write_all(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_that_is_cut_or_changed_anywhere_is_none() {
        let entry = [Sha256::digest(b"code").as_slice(), b"code"].concat();
        assert_eq!(Cached::of(entry.clone()).unwrap().bytes(), b"code");
        for length in 0..entry.len() {
            assert!(Cached::of(entry[..length].to_vec()).is_none(), "{length}");
        }
        for place in 0..entry.len() {
            let mut changed = entry.clone();
            changed[place] ^= 1;
            assert!(Cached::of(changed).is_none(), "{place}");
        }
    }

    #[test]
    fn only_so_many_entries_are_kept_the_newest() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache { folder: folder.path().to_owned() };
        for number in 0..MOST_ENTRIES + 3 {
            cache.put(&Key(number.to_string()), b"code");
            let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(number as u64);
            let file = File::open(cache.path(&Key(number.to_string()))).unwrap();
            file.set_modified(time).unwrap();
        }
        cache.put(&Key("last".into()), b"code");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), MOST_ENTRIES);
        assert!(cache.get(&Key("last".into())).is_some());
        assert!(cache.get(&Key("4".into())).is_some());
        assert!(cache.get(&Key("3".into())).is_none());
    }
}
