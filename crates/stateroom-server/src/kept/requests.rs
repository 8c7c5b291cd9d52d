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
    },
    /// Its state could not be saved now, which harms nobody.
    StateNotKept,
    /// What it wanted to be kept is not, and it must end.
    Lost(Arc<str>),
}

/// What rooms of a shard are told.
pub(crate) type Answers = Vec<(RoomKey, Answer)>;

/// A state of so many bytes is written in less time than it takes to wake another thread.
const QUICK_BYTES: usize = 16 * 1024;

/// Whether a request takes little time: it is what a room has heard, or its state, if that is small.
pub(crate) fn is_quick(request: &Request) -> bool {
    request.writes.iter().all(|write| match write {
        Write::Append { .. } => true,
        Write::Snapshot { state, .. } => state.len() <= QUICK_BYTES,
        _ => false,
    })
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
