//! Those who ask by HTTP, and what they were answered.

use stateroom::Response;
use std::collections::HashMap;

/// All of them.
#[derive(Default)]
pub(crate) struct Requesters {
    pub(super) all: Vec<Requester>,
    pub(super) last: u64,
    /// Who waits for the answer of which number, and whether it has used the key for something else.
    pub(super) waiting: HashMap<u64, (usize, bool)>,
}

/// One of them.
pub(super) struct Requester {
    pub(super) room: &'static str,
    /// What it has the room enter.
    pub(super) number: u64,
    pub(super) is_trap: bool,
    /// As it was answered first.
    pub(super) answer: Option<Response>,
}
