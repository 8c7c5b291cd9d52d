//! The library that is preloaded into servers to have their calls of the file system fail, and what
//! it tells (see `tests/preload`).

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The library's file.
pub(crate) fn library() -> &'static Path {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    FILE.get_or_init(|| {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let target = workspace.join("target/preload");
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--release", "-p", "test-preload", "--target-dir"])
            .arg(&target)
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .current_dir(&workspace)
            .status()
            .unwrap();
        assert!(built.success());
        target.canonicalize().unwrap().join("release/libtest_preload.so")
    })
}

/// What can happen to a call: as `STATEROOM_FAULT_KIND` names it.
pub(crate) const KINDS: [&str; 8] =
    ["eio", "enospc", "emfile", "eacces", "short", "torn", "kill-before", "kill-after"];

/// A fault, and what came of it, for processes that are run one after the other.
pub(crate) struct Fault {
    folder: PathBuf,
    file: PathBuf,
    /// At which call, from 1; 0 for none.
    call: u64,
    kind: String,
    is_sticky: bool,
}

impl Fault {
    /// In calls on `folder`, which need not be there yet; what comes of it is told in `file`.
    pub(crate) fn new(folder: &Path, file: &Path, call: u64, kind: &str) -> Fault {
        let parent = folder.parent().unwrap().canonicalize().unwrap();
        let folder = parent.join(folder.file_name().unwrap());
        Fault { folder, file: file.to_owned(), call, kind: kind.to_owned(), is_sticky: false }
    }

    /// The same, at each call from there on, until it is lifted.
    pub(crate) fn sticky(self) -> Fault {
        Fault { is_sticky: true, ..self }
    }

    /// Has it happen in the process of this command.
    pub(crate) fn put_on(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", library())
            .env("STATEROOM_FAULT_FOLDER", &self.folder)
            .env("STATEROOM_FAULT_FILE", &self.file)
            .env("STATEROOM_FAULT_CALL", self.call.to_string())
            .env("STATEROOM_FAULT_KIND", &self.kind)
            .env("STATEROOM_FAULT_STICKY", u8::from(self.is_sticky).to_string());
    }

    /// How many calls there were so far.
    pub(crate) fn calls(&self) -> u64 {
        self.number(0)
    }

    /// At which call it happened first; 0 if it has not.
    pub(crate) fn happened_at(&self) -> u64 {
        self.number(8)
    }

    /// From now on nothing happens.
    pub(crate) fn lift(&self) {
        self.tell(1);
    }

    /// From now on it happens again.
    pub(crate) fn arm(&self) {
        self.tell(0);
    }

    fn tell(&self, is_over: u64) {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&self.file);
        file.unwrap().write_all_at(&is_over.to_ne_bytes(), 24).unwrap();
    }

    /// What the first calls were, as numbers.
    pub(crate) fn told(&self) -> Vec<u8> {
        let calls = usize::try_from(self.calls()).unwrap();
        fs::read(&self.file).unwrap()[32..][..calls].to_vec()
    }

    fn number(&self, place: usize) -> u64 {
        let bytes = fs::read(&self.file).unwrap_or_default();
        bytes.get(place..place + 8).map_or(0, |bytes| u64::from_ne_bytes(bytes.try_into().unwrap()))
    }
}

/// Whether this can happen to a call of which `told` is told.
pub(crate) fn can_happen(kind: &str, told: u8) -> bool {
    let [open, create, write, flush, cut, reserve, rename, remove, make_folder] =
        std::array::from_fn(|number| told == number as u8 + 1);
    match kind {
        "enospc" => !(open || cut || remove),
        "emfile" => open || create,
        "eacces" => open || create || rename || remove || make_folder,
        "short" | "torn" => write,
        _ => open || create || write || flush || cut || reserve || rename || remove || make_folder,
    }
}

/// Has the wall clock of the command's process be so many seconds ahead.
pub(crate) fn shift_clock(command: &mut Command, seconds: i64) {
    command.env("LD_PRELOAD", library()).env("STATEROOM_FAULT_CLOCK_OFFSET", seconds.to_string());
}

/// Has each flush of a file below `folder` take so much longer.
pub(crate) fn delay_flushes(command: &mut Command, folder: &Path, milliseconds: u64) {
    let parent = folder.parent().unwrap().canonicalize().unwrap();
    command
        .env("LD_PRELOAD", library())
        .env("STATEROOM_FAULT_FOLDER", parent.join(folder.file_name().unwrap()))
        .env("STATEROOM_FAULT_DELAY_FLUSH", milliseconds.to_string());
}

/// The command, with a cache of what was compiled before, so that it serves at once.
pub(crate) fn cached(mut command: Command) -> Command {
    command.env("XDG_CACHE_HOME", Path::new(env!("CARGO_TARGET_TMPDIR")).join("caches"));
    command
}
