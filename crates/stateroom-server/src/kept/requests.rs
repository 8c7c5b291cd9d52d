//! What rooms ask the keeper for, and what they are told.

use crate::names::{Address, RoomKey};
use stateroom_store::Write;
use std::sync::Arc;

/// What a room wants to be kept.
pub(crate) type Request = stateroom_store::Request<Address, Answer>;

/// What a room is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// What it submitted is durable.
    Kept,
    /// Its state after so many events is durable.
    StateKept {
        /// How many.
        at: u64,
        /// How many bytes it has.
        bytes: usize,
    },
    /// Its state could not be saved now, which harms nobody.
    StateNotKept,
    /// The state of this room could not be saved, and the server ends: for whoever tells of that.
    Unsaved(Arc<str>),
    /// What it wanted to be kept is not, and it must end.
    Lost(Arc<str>),
}

/// What rooms of a shard are told.
pub(crate) type Answers = Vec<(RoomKey, Answer)>;

/// A state of so many bytes is written in less time than it takes to wake another thread.
const SMALL_STATE: usize = 16 * 1024;

/// Whether a request is about what a room that is known has heard, and nothing else.
pub(crate) fn is_of_events(request: &Request) -> bool {
    request.writes.iter().all(|write| matches!(write, Write::Append { .. }))
}

/// Whether a request is about a newer state of a room that is known, which is small, and nothing else.
pub(crate) fn is_small_state(request: &Request) -> bool {
    let is_newer = matches!(request.then, Some((_, Answer::StateKept { .. })));
    let is_small = |write: &Write| matches!(write, Write::Snapshot { state, .. } if state.len() <= SMALL_STATE);
    is_newer && request.writes.iter().all(is_small)
}

/// How many bytes a request has, more or less.
pub(crate) fn bytes_of(request: &Request) -> usize {
    let bytes = |write: &Write| match write {
        Write::Append { records, .. } => records.len(),
        Write::Snapshot { state, .. } => state.len(),
        Write::Quarantine { event, .. } => event.len(),
        Write::Module { bytes, .. } => bytes.len(),
        Write::Delete { .. } => 0,
    };
    request.writes.iter().map(bytes).sum()
}
