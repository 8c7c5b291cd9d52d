//! What can go wrong with a store. Each says where, what, and what to do.

use crate::{MAX_WRITE_BYTES, ModuleHash};
use std::{error::Error, path::PathBuf, sync::Arc};

/// Why a store cannot be opened, or did not do what it was asked for.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process has the store, or another part of this one.
    #[error(
        "the store in {} is in use by {}; stop that one, or choose another folder",
        folder.display(),
        process.map_or("another process".to_owned(), |process| format!("process {process}"))
    )]
    InUse {
        /// The folder of the store.
        folder: PathBuf,
        /// The number of the process that has it, as far as it has told.
        process: Option<u32>,
    },
    /// A file or folder of the store cannot be opened or made.
    #[error("cannot open {}: {source}; check that it exists and who may use it", path.display())]
    CannotOpen {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// The folder or a file in it may not be written to.
    #[error(
        "{} is read-only; let this user write to it, or choose another folder for the store",
        path.display()
    )]
    ReadOnly {
        /// Which file or folder.
        path: PathBuf,
    },
    /// A newer version of Stateroom has written the store.
    #[error(
        "{} is of format {found}, and this version of Stateroom knows formats up to {known}; use the \
         version that wrote it, or a newer one",
        path.display()
    )]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format that is known here.
        known: u32,
    },
    /// The store is of a format that was given up.
    #[error(
        "{} is of format {found}, which this version of Stateroom no longer reads; export its rooms \
         with the version that wrote it, or choose another folder",
        path.display()
    )]
    OlderFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// There is a file of that name, but something else has written it.
    #[error(
        "{} is no store of Stateroom; it was left as it is: move it away, or choose another folder",
        path.display()
    )]
    NotAStore {
        /// The file.
        path: PathBuf,
    },
    /// What is kept of one room is damaged. Other rooms are as they were.
    #[error(
        "what is stored of the room {room:?} is damaged: {what}; delete the room, or restore the \
         store from a backup"
    )]
    Damaged {
        /// The room's id.
        room: Arc<str>,
        /// What is wrong with it.
        what: String,
    },
    /// What is kept of a module is damaged.
    #[error(
        "what is stored of the module {hash} is damaged: {what}; start the server with that module, \
         or restore the store from a backup"
    )]
    DamagedModule {
        /// The module.
        hash: ModuleHash,
        /// What is wrong with it.
        what: String,
    },
    /// The file is damaged in a way that may concern every room.
    #[error("{} is damaged: {what}; nothing was changed: restore it from a backup", path.display())]
    DamagedFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The file cannot be read now, which says nothing about what is in it.
    #[error("cannot read {}: {reason}; check the disk, then try again", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A write does not fit where the room stands. Nothing was written, and the store goes on.
    ///
    /// Somebody else has written to the room, or a write got lost: whoever holds the room has to end
    /// it, and to load it anew.
    #[error(
        "a write to the room {room:?} expects it after {found} events, but it {}; end the room and \
         load it anew",
        expected.map_or("does not exist".to_owned(), |events| format!("is after {events}"))
    )]
    OutOfOrder {
        /// The room's id.
        room: Arc<str>,
        /// After how many events the room is, or `None` if there is no such room.
        expected: Option<u64>,
        /// After how many the write takes it to be.
        found: u64,
    },
    /// An append without events. Nothing was written, and the store goes on.
    #[error("an append to the room {room:?} has no events; write one only when there are some")]
    EmptyAppend {
        /// The room's id.
        room: Arc<str>,
    },
    /// A write of more than [`MAX_WRITE_BYTES`]. Nothing was written, and the store goes on.
    #[error(
        "a write of {bytes} bytes for {of} is larger than the {MAX_WRITE_BYTES} that the store \
         takes; let the room hold less"
    )]
    TooLarge {
        /// The room or module it is for.
        of: String,
        /// How many bytes it has.
        bytes: usize,
    },
    /// The disk is full. Nothing was written; the store goes on, and may succeed later.
    #[error("the disk of {} is full; nothing was written: make space, then try again", path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be written to now, or cannot be made. Nothing was written; the store goes on, and may
    /// succeed later.
    #[error(
        "cannot write to {}: {reason}; nothing was written: put that right, then try again",
        path.display()
    )]
    NotWritten {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The folder of the store is not at its place any more, or another one is.
    #[error(
        "{} is not what the store was opened with: {what}; what is written from now on may be lost: put \
         it back, and start the server anew",
        path.display()
    )]
    Moved {
        /// What was looked for.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Another program has locked the file for long. Nothing was written, and the store goes on.
    #[error("{} is locked by another program; end that one, then try again", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// Writing or flushing has failed. It is not known whether the writes are there, and no later one
    /// will be.
    ///
    /// It is not tried again: after a failed flush the system may have dropped the data, and the next
    /// flush would succeed without it.
    #[error(
        "writing to {} has failed: {reason}; the last writes may be lost: check the disk, then start \
         the server anew",
        path.display()
    )]
    Failed {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// There was no time at the end for the checkpoint to take all of the log.
    #[error(
        "there was no time for the checkpoint to take all of the log: the next start takes longer"
    )]
    Unfinished,
    /// A commit after one that has failed.
    #[error("the store takes no more writes since an earlier one failed: {reason}")]
    Closed {
        /// The text of that failure.
        reason: Arc<str>,
    },
}
