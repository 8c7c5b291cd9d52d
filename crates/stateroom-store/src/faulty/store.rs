//! The store on a simulated disk, and its readers.

use super::{Fault, FaultyDisk, path};
use crate::{
    Durability, ModuleHash, Monitor, Outcome, Quarantined, Reader, RoomSummary, Store, StoreError,
    StoredRoom, Ticket, Vitals, Write,
    contents::Contents,
    store::{Harmless, Settled},
};
use std::sync::Arc;

/// A store on a [`FaultyDisk`].
#[derive(Debug)]
pub struct FaultyStore {
    pub(super) disk: FaultyDisk,
    pub(super) durability: Durability,
    pub(super) process: u64,
    pub(super) closed: Option<Arc<str>>,
    pub(super) settled: Settled,
}

impl FaultyStore {
    fn commit_now(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        let mut disk = self.disk.disk();
        if let Some(reason) = &self.closed {
            return Err(StoreError::Closed { reason: reason.clone() });
        }
        if disk.process != self.process {
            return Err(StoreError::Closed { reason: "the process has ended".into() });
        }
        disk.seen.check(writes)?;
        if writes.is_empty() {
            return Ok(());
        }
        match disk.draw_fault() {
            None => {}
            Some(Fault::DiskFull) => return Err(StoreError::Full { path: path() }),
            Some(Fault::FailedFlush) => {
                disk.in_doubt = Some(writes.to_vec());
                let reason = "a flush has failed".to_owned();
                let error = StoreError::Failed { path: path(), reason };
                self.closed = Some(error.to_string().into());
                return Err(error);
            }
            Some(Fault::NeverReturns) => {
                disk.in_doubt = Some(writes.to_vec());
                let reason: Arc<str> = "the process has ended in the midst of a commit".into();
                self.closed = Some(reason.clone());
                return Err(StoreError::Closed { reason });
            }
        }
        disk.seen.apply(writes);
        disk.unsynced.push_back(writes.to_vec());
        if self.durability == Durability::Synced {
            disk.sync();
        }
        Ok(())
    }
}

impl Store for FaultyStore {
    fn append(&mut self, record: &[Write]) -> Ticket {
        let result = self.commit_now(record);
        self.settled.note_result(result)
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

    fn maintain(&mut self) -> Result<bool, StoreError> {
        self.commit_now(&[])?;
        let mut disk = self.disk.disk();
        disk.seen.drop_unused_modules();
        if disk.unsynced.is_empty() {
            disk.synced.drop_unused_modules();
        }
        Ok(false)
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        Ok(Box::new(FaultyReader { disk: self.disk.clone(), process: self.process }))
    }
}

impl Drop for FaultyStore {
    fn drop(&mut self) {
        let mut disk = self.disk.disk();
        if disk.process == self.process {
            // Its readers can go on; another store can be opened.
            disk.is_open = false;
        }
    }
}

#[derive(Debug)]
struct FaultyReader {
    disk: FaultyDisk,
    process: u64,
}

impl FaultyReader {
    fn read<T>(&self, read: impl FnOnce(&Contents) -> T) -> Result<T, StoreError> {
        let disk = self.disk.disk();
        if disk.process != self.process {
            return Err(StoreError::Unreadable {
                path: path(),
                reason: "the process has ended".into(),
            });
        }
        Ok(read(&disk.seen))
    }
}

impl Reader for FaultyReader {
    fn load(&mut self, room: &str) -> Result<Option<StoredRoom>, StoreError> {
        self.read(|contents| contents.load(room))?
    }

    fn list(&mut self) -> Result<Vec<RoomSummary>, StoreError> {
        self.read(Contents::list)
    }

    fn summary(&mut self, room: &str) -> Result<Option<RoomSummary>, StoreError> {
        self.read(|contents| contents.summary(room))
    }

    fn needing_attention(&mut self) -> Result<Vec<(Arc<str>, Vitals)>, StoreError> {
        self.read(Contents::needing_attention)
    }

    fn forgettable(&mut self, before: u64, most: usize) -> Result<Vec<Arc<str>>, StoreError> {
        self.read(|contents| contents.forgettable(before, most))
    }

    fn quarantined(&mut self, room: &str) -> Result<Vec<Quarantined>, StoreError> {
        self.read(|contents| contents.quarantined(room))
    }

    fn module(&mut self, hash: &ModuleHash) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|contents| contents.module(hash))
    }
}
