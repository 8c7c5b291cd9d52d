//! Appends one record to the log of a store.

use super::FileStore;
#[cfg(feature = "faults")]
use crate::faults::{Deliberate, is_on};
use crate::{
    StoreError, Write,
    checkpoint::run,
    failure, live,
    log::{
        compose::{Composed, Known},
        entry::{Large, Place},
        large,
    },
    pace,
    shared::Shared,
    view::View,
};
use std::{sync::atomic::Ordering::Relaxed, thread};

impl FileStore {
    /// Where `room` stands. With `whole = false`, only where its last entry is.
    fn look_up(&mut self, room: &str, whole: bool) -> Result<Known, StoreError> {
        if let Some(known) = self.shared.lock().index.room(room) {
            return Ok(known);
        }
        let unknown = Known { last: Place::default(), after: None, module: None };
        if !whole {
            return Ok(unknown);
        }
        let shared = &self.shared;
        let (segments, connection) = (&[], self.connection.connect(shared)?.map(|it| &*it));
        let view = View { files: &*shared.files, folder: &shared.folder, segments, connection };
        let known = view.standing(room).map_err(|error| live::told(shared, error))?;
        Ok(known.unwrap_or(unknown))
    }

    /// Appends a record, without a flush.
    pub(super) fn append_now(&mut self, record: &[Write]) -> Result<(), StoreError> {
        {
            let state = self.shared.lock();
            state.check_open()?;
            if let Some(moved) = &state.moved {
                return Err(moved.clone());
            }
        }
        if self.is_finished {
            return Err(StoreError::Closed { reason: "it was closed in order".into() });
        }
        let shared = self.shared.clone();
        let mut written: Vec<Large> = Vec::new();
        let next = self.writer.next;
        let composed = Composed::new(
            record,
            next,
            |room, whole| self.look_up(room, whole),
            |bytes| set_aside(&shared, bytes, &mut written),
        );
        let appended = composed.and_then(|composed| {
            if !written.is_empty() {
                large::flush_folder(&*shared.files, &shared.folder)
                    .map_err(|error| large_failed(&shared, error))?;
            }
            if record.is_empty() {
                return Ok(());
            }
            self.wait_for_the_checkpoint(composed.bytes() + composed.large)?;
            #[cfg(feature = "faults")]
            self.before_append(&composed);
            self.writer.append(&composed)
        });
        self.note_refusal(&appended);
        match appended {
            Ok(()) => {
                shared.large_bytes.fetch_add(written.iter().map(|it| it.length).sum(), Relaxed);
            }
            Err(StoreError::Failed { .. }) => {}
            // Nobody will name them.
            Err(_) => written.iter().for_each(|it| {
                let _ = shared.files.remove(&large::path(&shared.folder, it.name));
            }),
        }
        appended
    }

    /// Has the monitor tell while nothing can be written.
    fn note_refusal(&mut self, appended: &Result<(), StoreError>) {
        let refused = match appended {
            Err(error @ (StoreError::Full { .. } | StoreError::NotWritten { .. })) => Some(error),
            Ok(()) => None,
            Err(_) => return,
        };
        if refused.is_some() || self.has_refused {
            self.has_refused = refused.is_some();
            self.shared.lock().refused = refused.cloned();
        }
    }

    /// Waits a little while the checkpoint lags. An error says that it cannot go on, and that the log is as
    /// long as it may become.
    fn wait_for_the_checkpoint(&mut self, bytes: u64) -> Result<(), StoreError> {
        let segment = self.shared.options.segment_bytes;
        let behind = run::behind(&self.shared);
        if behind > pace::MOST_FILES * segment
            && let Some(error) = self.shared.lock().no_checkpoint.clone()
        {
            return Err(error);
        }
        if !self.shared.options.thread {
            return Ok(());
        }
        let rate = pace::rate(behind, segment);
        self.rate = rate.map(|rate| rate as u64);
        if let Some(rate) = rate {
            self.shared.wake.notify_all();
            thread::sleep(pace::delay(rate, bytes));
        }
        Ok(())
    }
}

/// Writes what is large to a file of its own.
fn set_aside(
    shared: &Shared,
    bytes: &[u8],
    written: &mut Vec<Large>,
) -> Result<Option<Large>, StoreError> {
    if bytes.len() <= shared.options.large_bytes {
        return Ok(None);
    }
    let large = large::write(&*shared.files, &shared.folder, bytes)
        .map_err(|error| large_failed(shared, error))?;
    written.push(large);
    Ok(Some(large))
}

fn large_failed(shared: &Shared, error: large::NotWritten) -> StoreError {
    let path = shared.folder.join(large::FOLDER);
    match error {
        large::NotWritten::Before(error) => failure::of_writing(&path, &error),
        large::NotWritten::Flush(error) => shared.fail(failure::of_flushing(&path, &error)),
    }
}

/// What deliberate faults need.
#[cfg(feature = "faults")]
impl FileStore {
    fn before_append(&mut self, composed: &Composed<'_>) {
        self.end_before = self.writer.end();
        if !is_on(Deliberate::LargeDroppedAtOnce) {
            return;
        }
        let rooms = composed.rooms.keys();
        let named = rooms.filter_map(|room| {
            let connection = self.connection.get()?;
            crate::checkpoint::row::RoomRow::read(connection, room).ok()??.large
        });
        for large in named {
            let _ = self.shared.files.remove(&large::path(&self.shared.folder, large.name));
        }
    }
}
