//! What can be written to a store: the changes of a commit, and the words they are told in.

use std::{fmt, sync::Arc};

/// How durable a commit is when it returns.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Durability {
    /// In the operating system's hands: survives the end of the process, not that of the machine.
    /// A power cut costs the newest commits, each of them as a whole; it never damages the store.
    Buffered,
    /// Flushed to the disk: survives power loss, on a disk that honours a flush.
    Synced,
}

/// The SHA-256 of a module: of the code of a service. Shown as hexadecimal digits.
///
/// ```
/// # use stateroom_store::ModuleHash;
/// assert!(ModuleHash([0xab; 32]).to_string().starts_with("abab"));
/// ```
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleHash(pub [u8; 32]);

impl fmt::Display for ModuleHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for ModuleHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ModuleHash({self})")
    }
}

/// What a room needs even while nobody looks at it. Told with each append and each snapshot; what was
/// told last counts.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Vitals {
    /// When the room has to be woken, in nanoseconds since the Unix epoch: its timer.
    pub wake_at: Option<u64>,
    /// How many clients were connected.
    pub clients: u32,
    /// When it last heard something, in nanoseconds since the Unix epoch, as the room counts time: if the
    /// clock was ahead, this may be in the future, and `wake_at` as far behind it as it was to be.
    pub heard_at: u64,
}

impl Vitals {
    /// Whether the room has to be looked after when a server starts: it has a timer, or had clients.
    #[must_use]
    pub fn need_attention(&self) -> bool {
        self.wake_at.is_some() || self.clients > 0
    }
}

/// How many bytes a single write may hold (its records, state, event or module): 512 MiB. A larger
/// one is refused with [`TooLarge`](crate::StoreError::TooLarge).
pub const MAX_WRITE_BYTES: usize = 512 << 20;

/// How many events that were set aside are kept for a room at most: its newest.
pub const MAX_QUARANTINED: usize = 100;

/// How many modules are kept though no room uses them: the newest.
pub const UNUSED_MODULES_KEPT: usize = 8;

/// One change. Owned, so that it can be sent to the thread that commits.
///
/// A room's life begins with a [`Snapshot`](Write::Snapshot), at any position, and ends with a
/// [`Delete`](Write::Delete). Its position is the number of events it has had, and never goes back:
/// each write says where it believes the room to stand, and is refused as
/// [`OutOfOrder`](crate::StoreError::OutOfOrder) if it is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// `events` further events of the journal of `room`, which follow the first `follows` ones.
    Append {
        /// The room's id.
        room: Arc<str>,
        /// How many events the room has had before these.
        follows: u64,
        /// How many these are: at least one.
        events: u32,
        /// The events, in an encoding that is the caller's.
        records: Vec<u8>,
        /// The room's timer and clients after these events.
        vitals: Vitals,
    },
    /// The state of `room` after its first `at` events. The journal up to there is dropped.
    ///
    /// For a room that the store knows, `at` is not before its last snapshot. It may be after its last
    /// event: then the store was not told of those in between, and the room goes on from here. For a
    /// room that it doesn't know, this begins its life with that many events.
    Snapshot {
        /// The room's id.
        room: Arc<str>,
        /// After how many events this was the state.
        at: u64,
        /// Of which module the state is.
        module: ModuleHash,
        /// The state, in an encoding that is the caller's.
        state: Vec<u8>,
        /// The room's timer and clients then. They count unless the store knows of later events.
        vitals: Vitals,
    },
    /// An event that was set aside since it failed. The newest [`MAX_QUARANTINED`] of a room are kept, and
    /// 1 MiB of them, until the room is deleted. Of an event or a reason of more than 64 KiB the first 64
    /// KiB are, and the reason says so.
    Quarantine {
        /// The room's id. The room exists.
        room: Arc<str>,
        /// How many events the room had had when this one failed.
        at: u64,
        /// When it failed, in nanoseconds since the Unix epoch.
        time: u64,
        /// Why.
        reason: String,
        /// The event, in an encoding that is the caller's.
        event: Vec<u8>,
    },
    /// Forgets the room, with all that was kept of it. Does nothing when there is no such room.
    Delete {
        /// The room's id.
        room: Arc<str>,
    },
    /// Keeps a module. One that is kept already is made the newest.
    Module {
        /// The SHA-256 of `bytes`. The caller vouches for it.
        hash: ModuleHash,
        /// The module.
        bytes: Vec<u8>,
    },
}

impl Write {
    /// The id of the room that it is about; `None` for a module.
    #[must_use]
    pub fn room(&self) -> Option<&Arc<str>> {
        match self {
            Write::Append { room, .. }
            | Write::Snapshot { room, .. }
            | Write::Quarantine { room, .. }
            | Write::Delete { room } => Some(room),
            Write::Module { .. } => None,
        }
    }
}
