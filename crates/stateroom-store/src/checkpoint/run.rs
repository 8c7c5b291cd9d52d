//! Drives the checkpoint: takes files of the log that are written to no more, applies them in small
//! transactions of some rooms each, says at last up to where it has come, and gives the files back.

use super::{database::Database, round::Round, spare::Spare};
use crate::{
    StoreError, failure,
    faults::{Deliberate, is_on},
    log::writer::make_next,
    shared::{Shared, State},
};
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

/// The database's write-ahead log is copied into it when it has so many bytes.
const LARGE_LOG: u64 = 4 << 20;

/// How long the thread waits when there is nothing to do, or when something can't be done now.
const IDLE: Duration = Duration::from_millis(200);

/// See the [module](self).
pub(crate) struct Checkpoint {
    pub(super) shared: Arc<Shared>,
    pub(super) database: Database,
    pub(super) round: Option<Round>,
    pub(super) spare: Spare,
    /// Whether the database's file can be shortened, by a copy of its write-ahead log.
    is_shorter: bool,
}

impl Checkpoint {
    pub(crate) fn new(shared: Arc<Shared>, database: Database) -> Self {
        Checkpoint { shared, database, round: None, spare: Spare::default(), is_shorter: false }
    }

    /// Runs until the store ends.
    pub(crate) fn run(&mut self) {
        loop {
            let state = self.shared.lock();
            if state.stop || state.failure.is_some() {
                return;
            }
            drop(state);
            match self.step(false) {
                Ok(true) => self.pause(),
                Ok(false) | Err(_) => {
                    let state = self.shared.lock();
                    if !state.stop && state.failure.is_none() && !self.has_work(&state) {
                        self.shared.wait(state, IDLE);
                    } else if !state.stop && state.failure.is_none() {
                        // What can't be done now is tried again soon.
                        self.shared.wait(state, IDLE / 10);
                    }
                }
            }
        }
    }

    fn has_work(&self, state: &State) -> bool {
        state.next.is_none() || state.segments.len() > 1
    }

    /// Leaves the disk to others for a moment, if there is time.
    fn pause(&self) {
        let behind = behind(&self.shared);
        if behind < self.shared.options.segment_bytes + self.shared.options.segment_bytes / 8 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Does one small step, and tells whether there may be more to do. `all` takes the file too that is
    /// written to.
    pub(crate) fn step(&mut self, all: bool) -> Result<bool, StoreError> {
        let done = self.try_step(all);
        self.shared.lock().no_checkpoint = done.as_ref().err().cloned();
        done
    }

    fn try_step(&mut self, all: bool) -> Result<bool, StoreError> {
        self.shared.lock().check_open()?;
        if self.shared.lock().next.is_none() && !all {
            self.make_next();
        }
        let log = self.shared.database_log_bytes.load(Relaxed);
        if log > if self.round.is_some() { 2 * LARGE_LOG } else { LARGE_LOG } {
            self.restart_log()?;
            return Ok(true);
        }
        // Space comes back before more is taken.
        if self.round.is_none() && self.spare.step(&self.shared) {
            return Ok(true);
        }
        if self.round.is_none() {
            self.round = self.begin(all)?;
        }
        if self.round.is_some() {
            let applied = self.apply();
            let log = self.shared.files.database_log_bytes(&self.database.path);
            self.shared.database_log_bytes.store(log, Relaxed);
            return applied.map(|()| true);
        }
        // Not at the end, which has to come soon.
        if all { Ok(false) } else { self.shorten() }
    }

    /// Gives some of the pages back that the database does not need, and tells whether it did.
    fn shorten(&mut self) -> Result<bool, StoreError> {
        let shortened = self.database.shorten(&*self.shared.files);
        if shortened.map_err(|error| self.changed_not(&error))? {
            self.is_shorter = true;
            return Ok(true);
        }
        if std::mem::take(&mut self.is_shorter) {
            self.restart_log()?;
        }
        Ok(false)
    }

    /// Whether files wait for readers before they can go.
    pub(crate) fn is_clear(&self) -> bool {
        self.spare.is_empty()
    }

    /// At the end: all is in the database itself, and its write-ahead log is needed no more.
    pub(crate) fn restart_log(&mut self) -> Result<(), StoreError> {
        let restarted = self.database.restart_log();
        restarted.map_err(|error| self.changed_not(&error))?;
        // It keeps its size for now, but begins anew.
        self.shared.database_log_bytes.store(0, Relaxed);
        Ok(())
    }

    /// The last step of all.
    pub(crate) fn end(self) {
        // If it stays, it is of no harm.
        let _ = self.database.empty_log();
    }

    fn make_next(&mut self) {
        let made = make_next(&self.shared);
        let mut state = self.shared.lock();
        match made {
            Ok(next) if state.next.is_none() => {
                (state.next, state.no_next) = (Some(next), None);
            }
            Ok(next) => {
                drop(state);
                let _ = self.shared.files.remove(&next.path);
            }
            Err(error) => state.no_next = Some(error),
        }
    }

    /// What it means that the database could not be changed.
    pub(super) fn changed_not(&self, error: &rusqlite::Error) -> StoreError {
        let (error, is_final) = failure::of_change(&self.database.path, error);
        if is_final && !is_on(Deliberate::GoOnAfterFailedFlush) {
            self.shared.fail(error)
        } else {
            error
        }
    }
}

/// How many bytes are not given back yet of what is no longer written to.
pub(crate) fn behind(shared: &Shared) -> u64 {
    let state = shared.lock();
    let sealed = state.segments.iter().rev().skip(1).map(|segment| segment.bytes()).sum::<u64>();
    drop(state);
    sealed + shared.spare_bytes.load(Relaxed) + shared.database_log_bytes.load(Relaxed)
}
