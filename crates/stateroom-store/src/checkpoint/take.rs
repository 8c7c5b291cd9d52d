//! Takes what of the log can be applied to the checkpoint: files that are written to no more, and that are
//! on the disk.

use super::{round::Round, run::Checkpoint};
use crate::{
    Durability, StoreError, failure,
    faults::{Deliberate, is_on},
    log::segment::Segment,
};
use std::sync::{Arc, atomic::Ordering::Relaxed};

impl Checkpoint {
    /// Takes what can be applied, if there is something.
    pub(super) fn begin(&mut self, all: bool) -> Result<Option<Round>, StoreError> {
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
        Round::read(segments, applied, target).map(Some)
    }

    /// Brings to the disk all that was written.
    pub(crate) fn flush_log(&self) -> Result<(), StoreError> {
        let segments: Vec<Arc<Segment>> = self.shared.lock().segments.iter().cloned().collect();
        self.flush(&segments)
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
}
