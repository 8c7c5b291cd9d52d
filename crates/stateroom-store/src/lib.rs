//! Keeps what rooms need to survive: their journals (the events they heard, in order) and snapshots
//! (their states), as bytes under a room id and a position. It knows nothing of what the bytes mean.

mod contents;
mod error;
mod faulty;
mod memory;
mod order;
mod sqlite;
mod store;
mod stored;
mod write;

pub use error::StoreError;
pub use faulty::{Chances, Fault, FaultyDisk, FaultyStore};
pub use memory::MemoryStore;
pub use sqlite::{SqliteReader, SqliteStore};
pub use store::{Reader, Store};
pub use stored::{Quarantined, RoomSummary, StoredRecords, StoredRoom, StoredSnapshot};
pub use write::{
    Durability, MAX_QUARANTINED, MAX_WRITE_BYTES, ModuleHash, UNUSED_MODULES_KEPT, Vitals, Write,
};
