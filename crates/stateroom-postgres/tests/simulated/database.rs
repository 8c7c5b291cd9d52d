//! A model of PostgreSQL with a synchronous standby: transactions that nobody sees before they end, keys that are waited for, a write-ahead
//! log in one order, and answers that come before the commit.

use super::{
    fault::Fault,
    session::{Entry, Row, Session, Statement, ToClient, ToServer, Work},
};
use fastrand::Rng;
use stateroom_postgres::core::{Epoch, Part, Place};
use std::{collections::BTreeMap, mem};

#[derive(Clone, Debug)]
enum Change {
    Insert(Vec<Row>),
    Trim { part: Part, below: i64, state: Vec<Entry> },
}

#[derive(Debug)]
pub(crate) struct Database {
    fault: Option<Fault>,
    log: Vec<Change>,
    /// How much of the log the standby has.
    standby: usize,
    rows: BTreeMap<(Part, i64), Entry>,
    /// What was saved before it was trimmed: all below a position.
    saved: BTreeMap<Part, Vec<Entry>>,
    pub(crate) sessions: BTreeMap<u32, Session>,
    next: u32,
    pub(crate) parts: Vec<Part>,
}

impl Database {
    pub(crate) fn new(parts: Vec<Part>, fault: Option<Fault>) -> Self {
        let mut database = Database {
            fault,
            log: Vec::new(),
            standby: 0,
            rows: BTreeMap::new(),
            saved: BTreeMap::new(),
            sessions: BTreeMap::new(),
            next: 0,
            parts,
        };
        database.replay();
        database
    }

    pub(crate) fn connect(&mut self) -> u32 {
        self.next += 1;
        self.sessions.insert(self.next, Session::new());
        self.next
    }

    /// The server takes the next message that is on its way to it.
    pub(crate) fn deliver(&mut self, id: u32) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if session.is_over {
            session.inbox.clear();
            return;
        }
        let is_next = matches!(
            (session.inbox.front(), &session.work),
            (Some(_), Work::Idle) | (Some(ToServer::Sync), Work::Executed { .. })
        );
        if !is_next {
            return;
        }
        let message = session.inbox.pop_front().unwrap();
        match (message, mem::replace(&mut session.work, Work::Idle)) {
            (ToServer::Execute(statement), _) => self.begin(id, statement),
            (ToServer::Sync, Work::Executed { failed: Some(code), .. }) => {
                session.outbox.push_back(ToClient::Failed(code));
            }
            (ToServer::Sync, Work::Executed { inserted, locked, .. }) if !inserted.is_empty() => {
                self.log.push(Change::Insert(inserted.clone()));
                session.work = Work::Committed { position: self.log.len(), inserted, locked };
            }
            (ToServer::Sync, _) => session.outbox.push_back(ToClient::Ready),
        }
    }

    /// Plans a statement by what can be seen now.
    fn begin(&mut self, id: u32, statement: Statement) {
        let (planned, on_conflict_do_nothing): (Vec<(Row, i64)>, bool) = match statement {
            Statement::Append { rows, on_conflict_do_nothing } => {
                let follows = |row: &Row| {
                    let before = self.rows.get(&(row.part, row.place.seq - 1));
                    before.is_some_and(|(epoch, _)| {
                        *epoch == row.place.epoch || self.fault == Some(Fault::AppendWithoutEpoch)
                    })
                };
                let rows = rows.into_iter().filter(follows);
                (rows.map(|row| (row, row.place.seq - 1)).collect(), on_conflict_do_nothing)
            }
            Statement::Claim { parts, random } => {
                let claim = |(part, known): (Part, i64)| {
                    let (tail, (epoch, _)) = self.tail(part)?;
                    let seq = match self.fault {
                        Some(Fault::ClaimSkips) => tail + 2,
                        Some(Fault::ClaimAfterWhatWasKnown) if known > 0 => known + 1,
                        _ => tail + 1,
                    };
                    let random = match self.fault {
                        Some(Fault::EpochsOnlyCount) => 0,
                        _ => random,
                    };
                    let place = Place { seq, epoch: epoch.next(random) };
                    Some((Row { part, place, body: 0 }, tail))
                };
                (parts.into_iter().filter_map(claim).collect(), true)
            }
            Statement::Trim { part, epoch, below, state } => {
                self.trim(part, epoch, below, state);
                (Vec::new(), true)
            }
        };
        if let Some(session) = self.sessions.get_mut(&id) {
            session.work = Work::Locking { planned, on_conflict_do_nothing };
        }
    }

    /// Saves and trims in one step, if nobody else has claimed the part or is about to.
    fn trim(&mut self, part: Part, epoch: Epoch, below: i64, state: Vec<Entry>) {
        let Some((last, (owner, _))) = self.tail(part) else { return };
        let is_claimed = self
            .sessions
            .values()
            .any(|session| session.hidden().iter().any(|row| row.part == part && row.body == 0));
        let fenced = self.fault != Some(Fault::TrimNotFenced);
        let is_older = self.saved.get(&part).is_some_and(|saved| saved.len() > state.len());
        if fenced && (owner != epoch || is_claimed || is_older) {
            return;
        }
        let below = match self.fault {
            Some(Fault::LastTrimmed) => below,
            _ => below.min(last),
        };
        if self.sessions.values().any(|session| session.locks(part, below)) {
            return;
        }
        let change = Change::Trim { part, below, state };
        self.log.push(change.clone());
        self.apply(change);
    }

    /// The server goes on with what it does.
    pub(crate) fn advance(&mut self, id: u32, random: &mut Rng) {
        let Some(session) = self.sessions.get(&id) else { return };
        match &session.work {
            Work::Locking { .. } => self.lock(id),
            Work::Inserting { planned, .. } => {
                let next = planned.front().copied();
                let is_held = next.is_some_and(|row| {
                    let others = self.sessions.iter().filter(|(other, _)| **other != id);
                    others.into_iter().any(|(_, it)| it.holds(row.part, row.place.seq))
                });
                // Now and then it does not wait any longer.
                let has_waited = is_held && random.u8(..8) == 0;
                if !is_held || has_waited {
                    self.insert(id, has_waited);
                }
            }
            Work::Committed { position, .. } if *position <= self.standby => {
                self.show(id);
                self.answer(id, ToClient::Ready);
            }
            Work::Idle | Work::Executed { .. } | Work::Committed { .. } => {}
        }
    }

    /// Locks the rows that are followed. Of those that are gone by now, what follows them is not inserted.
    fn lock(&mut self, id: u32) {
        let locks = self.fault != Some(Fault::NothingLocked);
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Work::Locking { planned, on_conflict_do_nothing } = &mut session.work else { return };
        let mut planned = mem::take(planned);
        if locks {
            planned.retain(|(row, after)| self.rows.contains_key(&(row.part, *after)));
        }
        let locked = planned.iter().filter(|_| locks).map(|(row, after)| (row.part, *after));
        let locked = locked.collect();
        session.work = Work::Inserting {
            planned: planned.into_iter().map(|(row, _)| row).collect(),
            inserted: Vec::new(),
            on_conflict_do_nothing: *on_conflict_do_nothing,
            locked,
        };
    }

    fn insert(&mut self, id: u32, has_waited: bool) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Work::Inserting { planned, inserted, on_conflict_do_nothing, locked } =
            &mut session.work
        else {
            return;
        };
        let Some(row) = planned.pop_front() else {
            let (inserted, locked) = (mem::take(inserted), mem::take(locked));
            session.work = Work::Executed { inserted, failed: None, locked };
            return;
        };
        let is_there = self.rows.contains_key(&(row.part, row.place.seq));
        if has_waited || (is_there && !*on_conflict_do_nothing) {
            let failed = Some(if has_waited { "55P03" } else { "23505" });
            session.work = Work::Executed { inserted: Vec::new(), failed, locked: Vec::new() };
        } else if !is_there {
            inserted.push(row);
            // Before the commit, of which nobody knows yet.
            session.outbox.push_back(ToClient::Row(row.part, row.place));
        }
    }

    /// Lets everybody see what a session has committed.
    fn show(&mut self, id: u32) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if let Work::Committed { inserted, .. } = mem::replace(&mut session.work, Work::Idle) {
            self.apply(Change::Insert(inserted));
        }
    }

    fn answer(&mut self, id: u32, answer: ToClient) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.outbox.push_back(answer);
        }
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Insert(rows) => {
                let rows = rows.into_iter();
                self.rows.extend(
                    rows.map(|row| ((row.part, row.place.seq), (row.place.epoch, row.body))),
                );
            }
            Change::Trim { part, below, state } => {
                self.rows.retain(|(of, seq), _| *of != part || *seq >= below);
                self.saved.insert(part, state);
            }
        }
    }

    /// The standby gets a bit more of the log.
    pub(crate) fn replicate(&mut self) {
        self.standby = (self.standby + 1).min(self.log.len());
    }

    /// Somebody cancels the wait for the standby.
    pub(crate) fn cancel_wait(&mut self, id: u32) -> bool {
        let is_waiting = |session: &Session| matches!(session.work, Work::Committed { .. });
        let is_waiting = self.sessions.get(&id).is_some_and(is_waiting);
        if is_waiting {
            self.show(id);
            self.answer(id, ToClient::Warning);
            self.answer(id, ToClient::Ready);
        }
        is_waiting
    }

    /// Ends a session: what is committed can be seen, though nobody was told.
    pub(crate) fn terminate(&mut self, id: u32) {
        self.show(id);
        if let Some(session) = self.sessions.get_mut(&id) {
            session.work = Work::Idle;
            session.inbox.clear();
            session.is_over = true;
            session.outbox.push_back(ToClient::Cut);
        }
    }

    /// The server notices that the client of a session is gone, if it listens.
    pub(crate) fn notice_dropped(&mut self, id: u32) {
        let Some(session) = self.sessions.get(&id) else { return };
        let listens = matches!(session.work, Work::Idle | Work::Executed { .. });
        let is_done = session.is_dropped && listens && session.inbox.is_empty();
        if is_done || (session.is_over && session.is_dropped) {
            self.sessions.remove(&id);
        }
    }

    /// The server is killed and starts anew.
    pub(crate) fn restart(&mut self) {
        self.cut_all();
        self.replay();
    }

    /// The network cuts a connection. Of what is on its way either way, a beginning arrives.
    pub(crate) fn cut(&mut self, id: u32, random: &mut Rng) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.inbox.truncate(random.usize(..=session.inbox.len()));
        session.outbox.truncate(random.usize(..=session.outbox.len()));
        session.outbox.push_back(ToClient::Cut);
        session.is_dropped = true;
    }

    /// The primary is lost, and the standby takes its place; without the newest `lost` changes, if it was none that is
    /// waited for. What the old one has said of those is not heard any more.
    pub(crate) fn promote(&mut self, lost: usize) {
        self.log.truncate(self.standby.saturating_sub(lost));
        self.standby = self.log.len();
        if lost > 0 {
            self.sessions.values_mut().for_each(|session| session.outbox.clear());
        }
        self.cut_all();
        self.replay();
    }

    fn cut_all(&mut self) {
        for session in self.sessions.values_mut() {
            session.work = Work::Idle;
            session.inbox.clear();
            session.is_over = true;
            session.outbox.push_back(ToClient::Cut);
        }
    }

    fn replay(&mut self) {
        let first = |part: &Part| ((*part, 0), (Epoch::NONE, 0));
        self.rows = self.parts.iter().map(first).collect();
        self.saved.clear();
        for change in self.log.clone() {
            self.apply(change);
        }
    }

    /// The newest row of a part that can be seen.
    pub(crate) fn tail(&self, part: Part) -> Option<(i64, Entry)> {
        let mut rows = self.rows.range((part, 0)..=(part, i64::MAX));
        rows.next_back().map(|((_, seq), entry)| (*seq, *entry))
    }

    pub(crate) fn row(&self, part: Part, seq: i64) -> Option<Entry> {
        self.rows.get(&(part, seq)).copied()
    }

    /// All that a part has had up to a position, which begins at 1.
    pub(crate) fn history(&self, part: Part, up_to: i64) -> Result<Vec<Entry>, String> {
        let saved = self.saved.get(&part).cloned().unwrap_or_default();
        (1..=up_to)
            .map(|seq| {
                let row = self.row(part, seq).or(saved.get(seq as usize - 1).copied());
                row.ok_or_else(|| format!("part {part} has nothing at {seq}, below {up_to}"))
            })
            .collect()
    }
}
