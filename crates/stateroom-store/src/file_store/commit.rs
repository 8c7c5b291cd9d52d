//! Tells of appended records whether they are kept, and puts a store in order at its end.

use super::FileStore;
use crate::{
    Durability, Monitor, Outcome, Reader, Store, StoreError, Ticket, Write,
    faults::{Deliberate, is_on},
    live::LiveReader,
    lock::lock,
};
use std::{sync::Arc, time::Instant};

impl Store for FileStore {
    fn append(&mut self, record: &[Write]) -> Ticket {
        self.last_ticket.0 += 1;
        let outcome = match self.append_now(record) {
            Ok(()) => None,
            Err(error @ (StoreError::Failed { .. } | StoreError::Closed { .. })) => {
                Some(Outcome::Unknown(error))
            }
            Err(error) => Some(Outcome::Refused(error)),
        };
        self.waiting.push((self.last_ticket, outcome));
        self.last_ticket
    }

    fn states_wanted(&self) -> u64 {
        self.writer.states_wanted
    }

    fn rate(&self) -> Option<u64> {
        self.rate
    }

    fn settle(&mut self) -> Vec<(Ticket, Outcome)> {
        if self.waiting.is_empty() {
            return Vec::new();
        }
        let has_waiting = self.waiting.iter().any(|(_, outcome)| outcome.is_none());
        let flushed = if has_waiting { self.flush() } else { Ok(()) };
        #[cfg(feature = "faults")]
        if flushed.is_err() && is_on(Deliberate::TakeBackAfterFailedFlush) {
            self.writer.take_back(self.end_before);
        }
        let after = self.after_flush(&flushed);
        let waiting = std::mem::take(&mut self.waiting);
        let settle = |(ticket, outcome): (Ticket, Option<Outcome>)| {
            (ticket, outcome.unwrap_or_else(|| after.clone()))
        };
        waiting.into_iter().map(settle).collect()
    }

    fn finish(&mut self) -> Result<(), StoreError> {
        if self.is_finished {
            return Ok(());
        }
        self.put_in_order()?;
        self.is_finished = true;
        Ok(())
    }

    fn monitor(&self) -> Arc<dyn Monitor> {
        self.monitor.clone()
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        Ok(Box::new(LiveReader::new(self.shared.clone())?))
    }
}

impl FileStore {
    /// Waits until all that was appended is on the disk, if it has to be.
    fn flush(&mut self) -> Result<(), StoreError> {
        self.shared.lock().check_open()?;
        if self.shared.durability == Durability::Buffered {
            return Ok(());
        }
        self.writer.flush().map_err(|error| {
            if is_on(Deliberate::GoOnAfterFailedFlush) { error } else { self.shared.fail(error) }
        })
    }

    /// What a record is told that was handed over, after a flush.
    fn after_flush(&mut self, flushed: &Result<(), StoreError>) -> Outcome {
        match flushed {
            Ok(()) => Outcome::Durable,
            Err(_) if is_on(Deliberate::AcknowledgeBeforeFlush) => Outcome::Durable,
            Err(error) if is_on(Deliberate::TakeBackAfterFailedFlush) => {
                Outcome::Refused(error.clone())
            }
            Err(error) => Outcome::Unknown(error.clone()),
        }
    }

    fn put_in_order(&mut self) -> Result<(), StoreError> {
        self.flush()?;
        self.stop();
        self.shared.lock().check_open()?;
        let Some(mut checkpoint) = lock(&self.checkpoint).take() else { return Ok(()) };
        // A file without records is all that stays of the log.
        self.writer.begin_last()?;
        let (began, options) = (Instant::now(), &self.shared.options);
        while checkpoint.step(true)? {
            if began.elapsed() >= options.finish_time {
                // Also where commits are not flushed, what is there at a planned stop is on the disk then.
                checkpoint.flush_log()?;
                return Err(StoreError::Unfinished);
            }
        }
        let _ = checkpoint.is_clear();
        checkpoint.restart_log()?;
        self.connection.close();
        let next = self.shared.lock().next.take();
        if let Some(next) = next {
            let _ = self.shared.files.remove(&next.path);
        }
        self.lock.mark(false)?;
        checkpoint.end();
        Ok(())
    }
}
