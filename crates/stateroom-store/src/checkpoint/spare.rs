//! Gives back what the checkpoint stands for: files of the log, the oldest first, and large files that
//! nobody names any more. In small steps, since to remove a large file at once holds others up.

use crate::{
    faults::{Deliberate, is_on},
    log::{entry::Large, large, segment::Segment},
    shared::Shared,
};
use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{Arc, atomic::Ordering::Relaxed},
};

/// How much of a file is given back at once.
const STEP: u64 = 2 << 20;

/// What is to be given back.
#[derive(Debug, Default)]
pub(crate) struct Spare {
    /// Files that have another name already.
    files: VecDeque<(Arc<Segment>, PathBuf)>,
    large: Vec<Large>,
}

impl Spare {
    /// Large files that no flushed checkpoint names.
    pub(crate) fn add_large(&mut self, large: Vec<Large>) {
        self.large.extend(large);
    }

    /// Does one step, and tells whether it did one. What can't be removed is left for the next start.
    pub(crate) fn step(&mut self, shared: &Shared) -> bool {
        if let Some(large) = self.large.pop() {
            let _ = shared.files.remove(&large::path(&shared.folder, large.name));
            shared.large_bytes.fetch_sub(large.length, Relaxed);
            return true;
        }
        self.shorten(shared) || self.take_off(shared)
    }

    /// Whether there are files that are in some reader's hands.
    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty() && self.large.is_empty()
    }

    fn shorten(&mut self, shared: &Shared) -> bool {
        let Some((segment, path)) = self.files.front() else { return false };
        if Arc::strong_count(segment) > 1 {
            // Somebody reads it.
            return false;
        }
        let length = segment.file.length().unwrap_or(0);
        let shorter = length.saturating_sub(STEP);
        if shorter > 0 && segment.file.truncate(shorter).is_ok() {
            shared.spare_bytes.fetch_sub(length - shorter, Relaxed);
            return true;
        }
        let _ = shared.files.remove(path);
        shared.spare_bytes.fetch_sub(length, Relaxed);
        self.files.pop_front();
        true
    }

    /// Takes the oldest file off the log, if a later one begins where the checkpoint ends, or before.
    fn take_off(&mut self, shared: &Shared) -> bool {
        let applied = shared.applied();
        let mut state = shared.lock();
        if state.failure.is_some() {
            return false;
        }
        let too_much = is_on(Deliberate::RemoveOneTooMany);
        let any_order = is_on(Deliberate::RemoveInAnyOrder);
        let Some(next) = state.segments.get(1) else { return false };
        let begins = next.from <= applied + 1 && next.header_flushed.load(Relaxed);
        if !begins && !(too_much && next.from <= applied + 2) {
            return false;
        }
        let place = match any_order {
            true => state.segments.iter().rposition(|it| it.last() <= applied && it.records() > 0),
            false => Some(0),
        };
        let place = place.filter(|place| place + 1 < state.segments.len()).unwrap_or(0);
        let Some(oldest) = state.segments.remove(place) else { return false };
        drop(state);
        let old = oldest.path.with_extension("old");
        if shared.files.rename(&oldest.path, &old).is_ok() {
            shared.spare_bytes.fetch_add(oldest.file.length().unwrap_or(0), Relaxed);
            self.files.push_back((oldest, old));
        }
        true
    }
}
