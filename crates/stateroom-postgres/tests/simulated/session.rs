//! A connection in the model: what is on its way to the server, what the server does for it, and what is on its way back.

use stateroom_postgres::core::{Epoch, Part, Place};
use std::collections::VecDeque;

/// A row of the log. The body 0 is a claim's.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) part: Part,
    pub(crate) place: Place,
    pub(crate) body: u32,
}

/// What one can ask for.
#[derive(Clone, Debug)]
pub(crate) enum Statement {
    Append {
        rows: Vec<Row>,
        /// Whether a key that is there already is passed over, or an error.
        on_conflict_do_nothing: bool,
    },
    Claim {
        /// With the last position that the node knew of.
        parts: Vec<(Part, i64)>,
        random: u32,
    },
    Trim {
        part: Part,
        epoch: Epoch,
        below: i64,
        /// All that was there before.
        state: Vec<Entry>,
    },
}

/// What a position holds: which claim, and what.
pub(crate) type Entry = (Epoch, u32);

#[derive(Clone, Debug)]
pub(crate) enum ToServer {
    Execute(Statement),
    Sync,
}

#[derive(Clone, Debug)]
pub(crate) enum ToClient {
    Row(Part, Place),
    Warning,
    Ready,
    Failed(&'static str),
    Cut,
}

/// What the server does.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    Idle,
    /// It has seen the rows at these positions, which it goes after, and is about to lock them.
    Locking {
        planned: Vec<(Row, i64)>,
        on_conflict_do_nothing: bool,
    },
    Inserting {
        planned: VecDeque<Row>,
        inserted: Vec<Row>,
        on_conflict_do_nothing: bool,
        locked: Vec<(Part, i64)>,
    },
    /// All is inserted, or has failed, and the transaction is open until a Sync comes.
    Executed {
        inserted: Vec<Row>,
        failed: Option<&'static str>,
        locked: Vec<(Part, i64)>,
    },
    /// It is committed here, and waits for the standby.
    Committed {
        position: usize,
        inserted: Vec<Row>,
        locked: Vec<(Part, i64)>,
    },
}

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) inbox: VecDeque<ToServer>,
    pub(crate) work: Work,
    pub(crate) outbox: VecDeque<ToClient>,
    /// The client has dropped it, or the network has; the server may not know.
    pub(crate) is_dropped: bool,
    /// The server has ended it; the client may not know.
    pub(crate) is_over: bool,
}

impl Session {
    pub(crate) fn new() -> Self {
        let (inbox, outbox) = (VecDeque::new(), VecDeque::new());
        Session { inbox, work: Work::Idle, outbox, is_dropped: false, is_over: false }
    }

    /// The rows that it has inserted and that nobody else sees yet.
    pub(crate) fn hidden(&self) -> &[Row] {
        match &self.work {
            Work::Idle | Work::Locking { .. } => &[],
            Work::Inserting { inserted, .. }
            | Work::Executed { inserted, .. }
            | Work::Committed { inserted, .. } => inserted,
        }
    }

    pub(crate) fn holds(&self, part: Part, seq: i64) -> bool {
        self.hidden().iter().any(|row| row.part == part && row.place.seq == seq)
    }

    /// Whether it has locked a row of a part below a position.
    pub(crate) fn locks(&self, part: Part, below: i64) -> bool {
        let locked: &[(Part, i64)] = match &self.work {
            Work::Idle | Work::Locking { .. } => &[],
            Work::Inserting { locked, .. }
            | Work::Executed { locked, .. }
            | Work::Committed { locked, .. } => locked,
        };
        locked.iter().any(|(of, seq)| *of == part && *seq < below)
    }
}
