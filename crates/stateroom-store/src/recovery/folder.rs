//! The folder of a store: who has it, and whether it is one. Nothing that is not ours is touched.

use crate::{
    StoreError,
    checkpoint::schema,
    failure,
    files::{Files, OpenFile, read_all, write_all},
    log::layout::HEADER_BYTES,
};
use std::{
    io::{self, IoSlice},
    path::{Path, PathBuf},
    sync::Arc,
};

/// How the lock file of a store begins.
const MARK: &str = "A store of Stateroom is kept in this folder (format 3).\n";

/// And that of a store of a format that was given up.
const OLD_MARK: &str = "A store of Stateroom is kept in this folder.\n";

/// How many bytes the file always has, so that it is written at once.
const BYTES: usize = 256;

/// Holds the folder for this process, until it is dropped.
pub(crate) struct Lock {
    file: Arc<dyn OpenFile>,
    /// Should somebody remove the file, the folder itself is still held.
    _folder: Box<dyn Send + Sync>,
    path: PathBuf,
    text: String,
}

impl Lock {
    /// Takes it, unless another process has it.
    pub(crate) fn take(files: &dyn Files, folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join("lock");
        let of_opening = |error| failure::of_opening(&path, error);
        let file = files.create(&path, true).map_err(of_opening)?;
        let held = files.hold_folder(folder).map_err(of_opening)?;
        let text = |file: &dyn OpenFile| {
            let bytes = read_all(file).map_err(|error| failure::of_opening(&path, error))?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let has_file = file.try_lock().map_err(of_opening)?;
        let Some(held) = held.filter(|_| has_file) else {
            let holder = text(&*file).ok().and_then(|text| value(&text, "process: ")?.parse().ok());
            return Err(StoreError::InUse { folder: folder.to_owned(), process: holder });
        };
        let text = text(&*file)?;
        Ok(Lock { file, _folder: held, path, text })
    }

    /// Whether a store is known to be kept here.
    pub(crate) fn is_marked(&self) -> bool {
        self.text.starts_with(MARK)
    }

    /// Whether a store of a format that was given up is.
    pub(crate) fn is_of_old_format(&self) -> bool {
        self.text.starts_with(OLD_MARK)
    }

    /// Whether the checkpoint's write-ahead log is a part of it.
    pub(crate) fn needs_write_ahead_log(&self) -> bool {
        value(&self.text, "rooms.db-wal: ") == Some("needed")
    }

    /// Notes who has the store, and whether the checkpoint's write-ahead log is a part of it.
    pub(crate) fn mark(&mut self, needed: bool) -> Result<(), StoreError> {
        let (process, needed) = (std::process::id(), if needed { "needed" } else { "spare" });
        let mut text = format!("{MARK}process: {process}\nrooms.db-wal: {needed}\n");
        let filling = BYTES.saturating_sub(text.len() + 1);
        text.extend(std::iter::repeat_n(' ', filling));
        text.push('\n');
        let written = write_all(&*self.file, &mut [IoSlice::new(text.as_bytes())], 0);
        let written = written.and_then(|()| self.file.flush());
        written.map_err(|error| failure::of_opening(&self.path, error))?;
        self.text = text;
        Ok(())
    }

    /// What names the file.
    pub(crate) fn identity(&self) -> io::Result<Option<(u64, u64)>> {
        self.file.identity()
    }
}

fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name))
}

/// What there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum There {
    /// No store yet.
    Nothing,
    /// A log, and maybe a checkpoint.
    Log,
}

/// Looks what there is in `folder`. `lock` is that of the folder, if it was taken.
pub(crate) fn look(
    files: &dyn Files,
    folder: &Path,
    lock: Option<&Lock>,
) -> Result<There, StoreError> {
    let database = folder.join("rooms.db");
    let of_opening = |path: &Path, error| failure::of_opening(path, error);
    let beginning =
        files.beginning(&database, 100).map_err(|error| of_opening(&database, error))?;
    let found = schema::recognize(&database, &beginning)?;
    if lock.is_some_and(Lock::is_of_old_format) {
        return Err(StoreError::OlderFormat { path: database, found: 2 });
    }
    let log = folder.join("log");
    let names = match files.list(&log) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        names => Some(names.map_err(|error| of_opening(&log, error))?),
    };
    let names = names.unwrap_or_default();
    let has_log = names.iter().any(|name| log_number(name).is_some());
    // One that was never finished has nothing to lose. Whether its name is on the disk is not known.
    if has_log && lock.is_some_and(|lock| !lock.is_marked()) && is_bare(files, &log, &names)? {
        return Ok(There::Nothing);
    }
    match has_log {
        true => Ok(There::Log),
        false if found || lock.is_some_and(Lock::is_marked) => Err(StoreError::DamagedFile {
            path: log,
            what: format!(
                "it is missing or empty, though a store was kept here; to begin anew, remove all of {}",
                folder.display()
            ),
        }),
        false => Ok(There::Nothing),
    }
}

/// Whether no file of the log ever had a record.
fn is_bare(files: &dyn Files, log: &Path, names: &[String]) -> Result<bool, StoreError> {
    for name in names.iter().filter(|name| log_number(name).is_some()) {
        let path = log.join(name);
        let file = files.open(&path).map_err(|error| failure::of_opening(&path, error))?;
        let length = file.length().map_err(|error| failure::of_reading(&path, &error))?;
        if length > HEADER_BYTES as u64 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The number of a file of the log of that name.
pub(crate) fn log_number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".log").filter(|digits| digits.len() == 16)?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}
