//! Keeps what rooms need to survive: their journals (the events they heard, in order) and snapshots
//! (their states), as bytes under a room id and a position. It knows nothing of what the bytes mean.
//!
//! One [`Store`] writes, on a thread of its own; each [`Reader`] reads, on any other. There are three:
//! [`SqliteStore`] keeps rooms on disk, [`MemoryStore`] as long as the process lives, and
//! [`FaultyStore`] on a simulated [`FaultyDisk`], for tests of what becomes of rooms when a process is
//! killed, the power is cut, or the disk is full, fails or flips a bit.
//!
//! ```
//! use stateroom_store::{Durability, ModuleHash, SqliteStore, Store, Vitals, Write};
//!
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path();
//! let mut store = SqliteStore::open(folder, Durability::Synced)?;
//! let vitals = Vitals { wake_at: None, clients: 1, heard_at: 0 };
//! let module = ModuleHash([7; 32]);
//! let state = b"an empty lobby".to_vec();
//! store.commit(&[Write::Snapshot { room: "lobby".into(), at: 0, module, state, vitals }])?;
//!
//! // What rooms have heard is appended for all of them at once: that is one flush.
//! let heard = |room: &str, follows, events, records: &[u8]| {
//!     let (room, records) = (room.into(), records.to_vec());
//!     Write::Append { room, follows, events, records, vitals }
//! };
//! store.commit(&[heard("lobby", 0, 2, b"hello, world"), heard("lobby", 2, 1, b"bye")])?;
//! drop(store);
//!
//! // After a restart, or a crash:
//! let store = SqliteStore::open(folder, Durability::Synced)?;
//! let lobby = store.reader()?.load("lobby")?.expect("it was committed");
//! assert_eq!(lobby.snapshot.state, b"an empty lobby");
//! assert_eq!(lobby.tail[1].records, b"bye");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod committer;
mod contents;
mod error;
mod exported;
mod faulty;
mod memory;
mod order;
mod sqlite;
mod store;
mod stored;
mod table;
mod write;

pub use committer::{Committer, Fate, Request};
pub use error::StoreError;
pub use exported::{ExportedRoom, NotExported};
pub use faulty::{Chances, Fault, FaultyDisk, FaultyStore};
pub use memory::MemoryStore;
pub use sqlite::{SqliteReader, SqliteStore};
pub use store::{Figures, Monitor, Outcome, Reader, RoomCount, Store, Ticket};
pub use stored::{Quarantined, RoomSummary, StoredRecords, StoredRoom, StoredSnapshot};
pub use write::{
    Durability, MAX_QUARANTINED, MAX_WRITE_BYTES, ModuleHash, UNUSED_MODULES_KEPT, Vitals, Write,
};
