//! Drives the checkpoint: takes files of the log that are written to no more, applies them in small
//! transactions of some rooms each, says at last up to where it has come, and gives the files back.

use super::{
    apply::{self, Applied},
    database::{self, Database},
    round::{Fetched, Reference, Round},
    spare::Spare,
};
use crate::{
    Durability, StoreError, failure,
    faults::{Deliberate, is_on},
    log::{segment::Segment, writer::make_next},
    recovery::chain::Mark,
    shared::Shared,
};
use std::{
    io,
    path::PathBuf,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

/// One transaction takes rooms until it has so many bytes of them.
const BYTES_AT_ONCE: usize = 1 << 20;

/// The database's write-ahead log is copied into it when it has so many bytes.
const LARGE_LOG: u64 = 4 << 20;

/// How long the thread waits when there is nothing to do, or when something can't be done now.
const IDLE: Duration = Duration::from_millis(200);

/// See the [module](self).
pub(crate) struct Checkpoint {
    shared: Arc<Shared>,
    database: Database,
    round: Option<Round>,
    spare: Spare,
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

    fn has_work(&self, state: &crate::shared::State) -> bool {
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

    fn changed_not(&self, error: &rusqlite::Error) -> StoreError {
        let (error, is_final) = failure::of_change(&self.database.path, error);
        if is_final && !is_on(Deliberate::GoOnAfterFailedFlush) {
            self.shared.fail(error)
        } else {
            error
        }
    }

    /// Takes what can be applied, if there is something.
    fn begin(&mut self, all: bool) -> Result<Option<Round>, StoreError> {
        let applied = self.shared.applied();
        let state = self.shared.lock();
        let mut segments: Vec<Arc<Segment>> = state.segments.iter().cloned().collect();
        drop(state);
        if !all && !is_on(Deliberate::CheckpointPastFlushed) {
            segments.pop();
        }
        segments.retain(|segment| segment.last() > applied);
        if segments.is_empty() {
            return Ok(None);
        }
        self.flush(&segments)?;
        let flushed = match is_on(Deliberate::CheckpointPastFlushed) {
            true => u64::MAX,
            false => self.shared.flushed.load(Relaxed),
        };
        segments.retain(|segment| segment.last() <= flushed);
        // No more at once than one file of the usual size may have.
        let mut bytes = 0;
        let is_enough = |segment: &Arc<Segment>| {
            let is_enough = bytes >= self.shared.options.segment_bytes;
            bytes += segment.end.load(Relaxed);
            is_enough
        };
        if let Some(enough) = segments.iter().position(is_enough) {
            segments.truncate(enough);
        }
        let Some(target) = segments.last().map(|segment| segment.last()) else { return Ok(None) };
        let unreadable = |(path, error): (PathBuf, io::Error)| failure::of_reading(&path, &error);
        Round::read(segments, applied, target).map_err(unreadable).map(Some)
    }

    /// Brings to the disk what was written without flushes.
    fn flush(&self, segments: &[Arc<Segment>]) -> Result<(), StoreError> {
        let shared = &self.shared;
        if shared.durability == Durability::Synced || is_on(Deliberate::CheckpointPastFlushed) {
            return Ok(());
        }
        let flushed = shared.flushed.load(Relaxed);
        let next = {
            // The header of the file that follows is what lets these go.
            let state = shared.lock();
            let is_next =
                |it: &&Arc<Segment>| segments.last().is_some_and(|last| it.from > last.from);
            state.segments.iter().find(is_next).cloned()
        };
        let unflushed = segments.iter().filter(|it| it.last() > flushed).chain(&next);
        for segment in unflushed {
            let failed = |error| shared.fail(failure::of_flushing(&segment.path, &error));
            segment.file.flush().map_err(failed)?;
            segment.header_flushed.store(true, Relaxed);
        }
        let folder = shared.log_folder();
        let failed = |error| shared.fail(failure::of_flushing(&folder, &error));
        shared.files.flush_folder(&folder).map_err(failed)?;
        if let Some(last) = segments.last() {
            shared.flushed.fetch_max(last.last(), Relaxed);
        }
        Ok(())
    }

    /// Applies some rooms of the round, or ends it.
    fn apply(&mut self) -> Result<(), StoreError> {
        let Some(round) = &mut self.round else { return Ok(()) };
        let shared = &self.shared;
        let mut count = 0;
        let mut bytes = 0;
        for (_, references) in round.rooms.iter().rev().take(shared.options.rooms_at_once) {
            if bytes > BYTES_AT_ONCE {
                break;
            }
            bytes += references.iter().map(Reference::body_bytes).sum::<usize>();
            count += 1;
        }
        let rest = round.rooms.len() - count;
        let batch = round.rooms.get(rest..).unwrap_or_default();
        let is_last = rest == 0;
        let unreadable = |(path, error): (PathBuf, io::Error)| failure::of_reading(&path, &error);
        let fetch = |references: &[Reference]| round.fetch(references).map_err(unreadable);
        let modules = if is_last { fetch(&round.modules)? } else { Vec::new() };
        let fetched = batch.iter().map(|(room, references)| Ok((room, fetch(references)?)));
        let fetched = fetched.collect::<Result<Vec<_>, StoreError>>()?;
        let mark = Mark { id: shared.id, applied: round.target, check: round.check };
        let mut large = Vec::new();
        let begins = !round.has_begun;
        let done = self.database.transaction(&*shared.files, |connection| {
            if begins {
                database::set_reach(connection, round.target)?;
                if is_on(Deliberate::AppliedAhead) {
                    database::set_mark(connection, &mark)?;
                }
            }
            for (room, changes) in &fetched {
                if is_on(Deliberate::AppliedWithoutEffects) && room.len() % 2 == 0 {
                    continue;
                }
                let changes: Vec<Applied<'_>> =
                    changes.iter().filter_map(Fetched::applied).collect();
                apply::apply_room(connection, room, &changes, round.target, &mut large)?;
            }
            if is_last {
                for change in modules.iter().filter_map(Fetched::applied) {
                    apply::apply_module(connection, &change, &mut large)?;
                }
                apply::drop_unused_modules(connection, &mut large)?;
                apply::purge(connection, round.target)?;
                if !is_on(Deliberate::AppliedAfterRemoval) {
                    database::set_mark(connection, &mark)?;
                }
            }
            Ok(())
        });
        if let Err(error) = done {
            if is_on(Deliberate::RemoveBeforeCheckpointFlush) && is_last {
                shared.applied.fetch_max(round.target, Relaxed);
                while self.spare.step(shared) {}
            }
            return Err(self.changed_not(&error));
        }
        round.has_begun = true;
        round.large.extend(large);
        let batch = round.rooms.split_off(rest);
        let target = round.target;
        {
            let mut state = shared.lock();
            for (room, _) in &batch {
                state.index.forget(room, target);
            }
            if is_last {
                state.index.forget_modules(target);
            }
        }
        if is_last {
            shared.applied.fetch_max(target, Relaxed);
            self.spare.add_large(std::mem::take(&mut round.large));
            self.round = None;
            if is_on(Deliberate::AppliedAfterRemoval) {
                while self.spare.step(shared) {}
                let set = |connection: &rusqlite::Connection| database::set_mark(connection, &mark);
                let set = self.database.transaction(&*shared.files, set);
                set.map_err(|error| self.changed_not(&error))?;
            }
        }
        Ok(())
    }
}

/// How many bytes are not given back yet of what is no longer written to.
pub(crate) fn behind(shared: &Shared) -> u64 {
    let state = shared.lock();
    let sealed = state.segments.iter().rev().skip(1).map(|segment| segment.bytes()).sum::<u64>();
    drop(state);
    sealed + shared.spare_bytes.load(Relaxed) + shared.database_log_bytes.load(Relaxed)
}
