//! What every store can do: one writes, others read.

use crate::{ModuleHash, Quarantined, RoomSummary, StoreError, StoredRoom, Vitals, Write};
use std::sync::Arc;

/// The one who writes; on a thread of its own, since a commit waits for the disk.
pub trait Store: Send {
    /// Carries out all of `writes`, in order, or none of them. When it returns, they are as durable
    /// as the store was opened for.
    ///
    /// # Errors
    /// Of the writes: [`OutOfOrder`](StoreError::OutOfOrder), [`EmptyAppend`](StoreError::EmptyAppend),
    /// [`TooLarge`](StoreError::TooLarge), [`Damaged`](StoreError::Damaged). Of the disk:
    /// [`Full`](StoreError::Full), [`Busy`](StoreError::Busy). After these nothing is written, and the store goes on. After
    /// [`Failed`](StoreError::Failed) it is not known whether the writes are there, and every later
    /// commit is [`Closed`](StoreError::Closed).
    fn commit(&mut self, writes: &[Write]) -> Result<(), StoreError>;

    /// Does a step, of a few milliseconds, of the work that can wait for a quiet moment: dropping
    /// what nobody needs any more, giving space back. Returns whether there is more to do. Even a
    /// server that is never quiet has to call it now and then, or the store grows.
    ///
    /// # Errors
    /// Those of the disk, as for [`commit`](Self::commit).
    fn maintain(&mut self) -> Result<bool, StoreError>;

    /// A reader, for another thread. It sees every commit that has returned.
    ///
    /// # Errors
    /// [`CannotOpen`](StoreError::CannotOpen), when the system lacks the means.
    fn reader(&self) -> Result<Box<dyn Reader>, StoreError>;
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

    /// The rooms that [need attention](Vitals::need_attention): those with a timer, and those that
    /// had clients. In no particular order. Quick even with very many other rooms.
    ///
    /// # Errors
    /// Those of the trait.
    fn needing_attention(&mut self) -> Result<Vec<(Arc<str>, Vitals)>, StoreError>;

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
