//! What every store can do: one writes, others read.

use crate::{ModuleHash, Quarantined, RoomSummary, StoreError, StoredRoom, Vitals, Write};
use std::sync::Arc;

/// Names a record that was [appended](Store::append), until its [outcome](Store::settle) is told.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What became of a record. It is no other record's.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// All of it is as durable as the store was opened for.
    Durable,
    /// Nothing of it was written, and the store goes on. The error tells why:
    /// [`Full`](StoreError::Full), [`NotWritten`](StoreError::NotWritten),
    /// [`TooLarge`](StoreError::TooLarge), [`OutOfOrder`](StoreError::OutOfOrder), [`EmptyAppend`](StoreError::EmptyAppend),
    /// [`Damaged`](StoreError::Damaged), and others of before anything was handed over.
    Refused(StoreError),
    /// Somebody else writes now, who has claimed the store since. Nothing of the record was written, and
    /// nothing ever will be through this handle.
    Fenced,
    /// Whether it is there is not known: what was handed over could not be flushed. Nothing ever will be
    /// written through this handle.
    Unknown(StoreError),
}

impl Outcome {
    /// As a result, for whoever asks for no more than whether it worked.
    ///
    /// # Errors
    /// All but [`Durable`](Outcome::Durable).
    pub fn into_result(self) -> Result<(), StoreError> {
        match self {
            Outcome::Durable => Ok(()),
            Outcome::Refused(error) | Outcome::Unknown(error) => Err(error),
            Outcome::Fenced => {
                Err(StoreError::Closed { reason: "somebody else writes now".into() })
            }
        }
    }
}

/// The one who writes; on a thread of its own, since to settle waits for the disk.
pub trait Store: Send {
    /// Hands over a record: the changes of one group commit, in order, of which all are carried out or
    /// none. Returns at once; several may be on their way. What becomes of it is told by
    /// [`settle`](Self::settle).
    fn append(&mut self, record: &[Write]) -> Ticket;

    /// Waits until the outcome of every record that was handed over is known, and tells it, in their
    /// order.
    fn settle(&mut self) -> Vec<(Ticket, Outcome)>;

    /// Hands over one record and waits for its outcome.
    ///
    /// # Errors
    /// See [`Outcome`].
    fn commit(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        let ticket = self.append(writes);
        let settled = self.settle().into_iter().find(|(settled, _)| *settled == ticket);
        settled.map_or(Ok(()), |(_, outcome)| outcome.into_result())
    }

    /// Counts up when the part of the log that is written to will soon be checkpointed: rooms that have
    /// heard much since their last state should save it now, so that their journals need not be copied.
    fn states_wanted(&self) -> u64 {
        0
    }

    /// How many bytes a second should be handed over now, if not any number: the log would grow past its bound
    /// with more, since what is in it has to be checkpointed first. Looked at when something was last handed
    /// over.
    fn rate(&self) -> Option<u64> {
        None
    }

    /// Leaves all in order: whatever was handed over is settled, and the store can be opened quickly.
    /// Nothing can be written from then on.
    ///
    /// # Errors
    /// Those of the disk, and [`Unfinished`](StoreError::Unfinished). What was told to be durable is all the same.
    fn finish(&mut self) -> Result<(), StoreError>;

    /// What tells how the store does, from any thread.
    fn monitor(&self) -> Arc<dyn Monitor>;

    /// A reader, for another thread. It sees every record whose outcome was told.
    ///
    /// # Errors
    /// [`CannotOpen`](StoreError::CannotOpen), when the system lacks the means.
    fn reader(&self) -> Result<Box<dyn Reader>, StoreError>;
}

/// Tells how a store does, at any time and from any thread, also once the store is gone.
pub trait Monitor: Send + Sync {
    /// Looks whether what is written would be kept: the store has not failed, and its folder is where it
    /// was, with its files in it. Cheap enough to be asked every second.
    ///
    /// # Errors
    /// Why not.
    fn check(&self) -> Result<(), StoreError>;

    /// How large everything is.
    fn figures(&self) -> Figures;
}

/// How large everything in a store is. All 0 for a store without files.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// How many records were appended in the store's life.
    pub records: u64,
    /// How many of them the checkpoint has.
    pub checkpointed: u64,
    /// How many files the log has.
    pub log_files: u64,
    /// How many bytes they have, with the next one that is made ahead.
    pub log_bytes: u64,
    /// How many bytes the checkpoint has, with its write-ahead log.
    pub checkpoint_bytes: u64,
    /// How many bytes the states and modules in files of their own have.
    pub large_bytes: u64,
}

/// How many rooms there are.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct RoomCount {
    /// All of them.
    pub rooms: u64,
    /// Those whose code is another one than that which was asked for.
    pub with_other_code: u64,
}

/// One who reads. Each call sees the store as it is at one moment.
///
/// Each call may return [`Unreadable`](StoreError::Unreadable) and
/// [`DamagedFile`](StoreError::DamagedFile) beside the errors it names.
pub trait Reader: Send {
    /// All that it takes to bring `room` back, or `None` if there is no such room.
    ///
    /// # Errors
    /// [`Damaged`](StoreError::Damaged), when a part of it is missing or its checksum is wrong.
    fn load(&mut self, room: &str) -> Result<Option<StoredRoom>, StoreError>;

    /// All rooms, ordered by id. Takes the longer the more there are; nothing else waits for it.
    ///
    /// # Errors
    /// Those of the trait.
    fn list(&mut self) -> Result<Vec<RoomSummary>, StoreError>;

    /// What [`list`](Self::list) tells of `room`, or `None` if there is no such room.
    ///
    /// # Errors
    /// Those of the trait.
    fn summary(&mut self, room: &str) -> Result<Option<RoomSummary>, StoreError>;

    /// How many rooms there are, and how many of them have other code than `code`. Takes the longer the
    /// more there are, as [`list`](Self::list) does, unless a store knows better.
    ///
    /// # Errors
    /// Those of the trait.
    fn count(&mut self, code: Option<&ModuleHash>) -> Result<RoomCount, StoreError> {
        let rooms = self.list()?;
        let others = rooms.iter().filter(|room| code.is_some_and(|code| room.module != *code));
        Ok(RoomCount { rooms: rooms.len() as u64, with_other_code: others.count() as u64 })
    }

    /// The rooms that [need attention](Vitals::need_attention): those with a timer, and those that
    /// had clients. In no particular order. Quick even with very many other rooms.
    ///
    /// # Errors
    /// Those of the trait.
    fn needing_attention(&mut self) -> Result<Vec<(Arc<str>, Vitals)>, StoreError>;

    /// At most `most` rooms that nothing has happened in since `before` (nanoseconds since the Unix
    /// epoch; see [`Vitals::heard_at`]), and that do not [need attention](Vitals::need_attention). In no
    /// particular order. Quick even with very many other rooms.
    ///
    /// # Errors
    /// Those of the trait.
    fn forgettable(&mut self, before: u64, most: usize) -> Result<Vec<Arc<str>>, StoreError>;

    /// The events of `room` that were set aside, the oldest first. Empty if there is no such room.
    ///
    /// # Errors
    /// [`Damaged`](StoreError::Damaged), when the checksum of one is wrong.
    fn quarantined(&mut self, room: &str) -> Result<Vec<Quarantined>, StoreError>;

    /// The module with that hash, or `None` if it is not kept.
    ///
    /// # Errors
    /// [`DamagedModule`](StoreError::DamagedModule), when its checksum is wrong.
    fn module(&mut self, hash: &ModuleHash) -> Result<Option<Vec<u8>>, StoreError>;
}
