//! A store that keeps nothing beyond the process: for rooms that need not survive, and for tests.

use crate::{
    Figures, ModuleHash, Monitor, Outcome, Quarantined, Reader, RoomSummary, Store, StoreError,
    StoredRoom, Ticket, Vitals, Write, contents::Contents,
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A store in memory. A clone is another handle to the same contents, and so is a reader.
///
/// ```
/// use stateroom_store::{MemoryStore, ModuleHash, Store, Vitals, Write};
///
/// let mut store = MemoryStore::new();
/// store.commit(&[
///     Write::Snapshot {
///         room: "lobby".into(),
///         at: 0,
///         module: ModuleHash([7; 32]),
///         state: Vec::new(),
///         vitals: Vitals::default(),
///     },
///     Write::Append {
///         room: "lobby".into(),
///         follows: 0,
///         events: 2,
///         records: b"hello, world".to_vec(),
///         vitals: Vitals { wake_at: None, clients: 1, heard_at: 0 },
///     },
/// ])?;
/// let lobby = store.reader()?.load("lobby")?.expect("it was just written");
/// assert_eq!(lobby.events(), 2);
/// assert_eq!(lobby.vitals.clients, 1);
/// # Ok::<(), stateroom_store::StoreError>(())
/// ```
#[derive(Debug, Default)]
pub struct MemoryStore {
    contents: Arc<Mutex<Contents>>,
    settled: Settled,
}

impl Clone for MemoryStore {
    fn clone(&self) -> Self {
        MemoryStore { contents: self.contents.clone(), settled: Settled::default() }
    }
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Contents are changed by infallible code only, so even a panic elsewhere leaves them whole.
    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn append(&mut self, record: &[Write]) -> Ticket {
        let mut contents = self.contents();
        let outcome = match contents.check(record) {
            Ok(()) => {
                contents.apply(record);
                Outcome::Durable
            }
            Err(error) => Outcome::Refused(error),
        };
        drop(contents);
        self.settled.note(outcome)
    }

    fn settle(&mut self) -> Vec<(Ticket, Outcome)> {
        self.settled.take()
    }

    fn finish(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn monitor(&self) -> Arc<dyn Monitor> {
        Arc::new(Harmless)
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        Ok(Box::new(self.clone()))
    }
}

impl Reader for MemoryStore {
    fn load(&mut self, room: &str) -> Result<Option<StoredRoom>, StoreError> {
        Ok(self.contents().load(room))
    }

    fn list(&mut self) -> Result<Vec<RoomSummary>, StoreError> {
        Ok(self.contents().list())
    }

    fn summary(&mut self, room: &str) -> Result<Option<RoomSummary>, StoreError> {
        Ok(self.contents().summary(room))
    }

    fn needing_attention(&mut self) -> Result<Vec<(Arc<str>, Vitals)>, StoreError> {
        Ok(self.contents().needing_attention())
    }

    fn forgettable(&mut self, before: u64, most: usize) -> Result<Vec<Arc<str>>, StoreError> {
        Ok(self.contents().forgettable(before, most))
    }

    fn quarantined(&mut self, room: &str) -> Result<Vec<Quarantined>, StoreError> {
        Ok(self.contents().quarantined(room))
    }

    fn module(&mut self, hash: &ModuleHash) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.contents().module(hash))
    }
}

/// The outcomes of a store that knows them at once.
#[derive(Debug, Default)]
struct Settled {
    last: Ticket,
    outcomes: Vec<(Ticket, Outcome)>,
}

impl Settled {
    fn note(&mut self, outcome: Outcome) -> Ticket {
        self.last.0 += 1;
        self.outcomes.push((self.last, outcome));
        self.last
    }

    fn take(&mut self) -> Vec<(Ticket, Outcome)> {
        std::mem::take(&mut self.outcomes)
    }
}

/// Of a store that nothing can happen to.
#[derive(Debug)]
struct Harmless;

impl Monitor for Harmless {
    fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn figures(&self) -> Figures {
        Figures::default()
    }
}
