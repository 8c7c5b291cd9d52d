//! Keeps what rooms need to survive: their journals (the events they heard, in order) and snapshots
//! (their states), as bytes under a room id and a position. It knows nothing of what the bytes mean.
//!
//! One [`Store`] writes, on a thread of its own; each [`Reader`] reads, on any other. There are two:
//! [`FileStore`] keeps rooms on disk, and [`MemoryStore`] as long as the process lives. With the feature
//! `simulate` the former runs on a simulated disk too, for tests of what becomes of rooms when a process is
//! killed, the power is cut, or the disk is full or fails.
//!
//! ```
//! use stateroom_store::{Durability, ModuleHash, FileStore, Store, Vitals, Write};
//!
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path();
//! let mut store = FileStore::open(folder, Durability::Synced)?;
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
//! let store = FileStore::open(folder, Durability::Synced)?;
//! let lobby = store.reader()?.load("lobby")?.expect("it was committed");
//! assert_eq!(lobby.snapshot.state, b"an empty lobby");
//! assert_eq!(lobby.tail[1].records, b"bye");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod checkpoint;
mod committer;
mod contents;
mod error;
mod exported;
mod failure;
mod faults;
mod file_store;
pub mod files;
mod index;
mod live;
mod lock;
mod log;
mod memory;
mod monitor;
mod options;
mod order;
mod pace;
mod quarantine;
mod read_connection;
mod reader;
mod recovery;
mod shared;
#[cfg(feature = "faults")]
pub mod simulation;
mod store;
mod stored;
mod table;
mod view;
mod write;

pub use committer::{Committer, Fate, Request};
pub use error::StoreError;
pub use exported::{ExportedRoom, NotExported};
#[doc(hidden)]
pub use faults::Deliberate;
#[cfg(feature = "faults")]
pub use faults::switch_on;
pub use file_store::FileStore;
pub use memory::MemoryStore;
pub use options::Options;
pub use reader::FileReader;
pub use store::{Figures, Monitor, Outcome, Reader, RoomCount, Store, Ticket};
pub use stored::{Quarantined, RoomSummary, StoredRecords, StoredRoom, StoredSnapshot};
pub use write::{
    Durability, MAX_QUARANTINED, MAX_WRITE_BYTES, ModuleHash, UNUSED_MODULES_KEPT, Vitals, Write,
};
