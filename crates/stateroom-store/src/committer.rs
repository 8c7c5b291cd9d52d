//! Group commit: appends what many rooms want to be kept as one record, and tells each what became of it.
//!
//! It has no thread and no clock: whoever drives it decides what a group is, and when.

use crate::{Monitor, Outcome, Reader, Store, StoreError, Ticket, Write};
use std::{
    collections::{HashSet, VecDeque},
    fmt,
    hash::Hash,
    sync::Arc,
};

/// Of how many rooms that were told that something of theirs is lost that is remembered.
const LOST_REMEMBERED: usize = 64 * 1024;

/// Why nothing is kept once somebody else has claimed the store.
const FENCED: &str = "somebody else writes to the store now";

/// What somebody wants to be kept: all of it, or nothing.
#[derive(Debug)]
pub struct Request<W, A> {
    /// All of one room, or of none.
    pub writes: Vec<Write>,
    /// Who is told when they are durable, and what.
    pub then: Option<(W, A)>,
    /// What they are told when they are refused, if nothing else follows from them. Otherwise all is lost that
    /// the same one has on its way.
    pub otherwise: Option<A>,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate<A> {
    /// It is durable.
    Kept(A),
    /// Nothing of it is kept, for this reason. Nor will be anything that the same one has on its way, since
    /// that follows from it.
    Lost(Arc<str>),
    /// Nothing of it is kept, for this reason, and nothing else follows from it.
    Refused(A, Arc<str>),
}

/// Appends what many want to be kept as one record, and tells each what became of it. `W` names who asks: a
/// room while it is in memory, never another one.
pub struct Committer<W, S = Box<dyn Store>> {
    store: S,
    lost: HashSet<W>,
    /// The same in the order in which it happened.
    lost_in_order: VecDeque<W>,
    failed: Option<Arc<str>>,
}

impl<W: Copy + Eq + Hash, S: Store> Committer<W, S> {
    /// One that appends to `store`.
    #[must_use]
    pub fn new(store: S) -> Self {
        Committer { store, lost: HashSet::new(), lost_in_order: VecDeque::new(), failed: None }
    }

    /// Appends a group, waits for what becomes of it, and tells who asked for something.
    ///
    /// Nobody is told anything once it [has failed](Self::failure): whether the last group is kept is not
    /// known then.
    pub fn commit<A>(&mut self, mut group: Vec<Request<W, A>>) -> Vec<(W, Fate<A>)> {
        group.retain(|request| {
            request.then.as_ref().is_none_or(|(from, _)| !self.lost.contains(from))
        });
        let mut fates = Vec::with_capacity(group.len());
        // Parts of the group, in order; it is only parted when a record was refused.
        let mut parts = VecDeque::from([group]);
        while let Some(part) = parts.pop_front() {
            if part.is_empty() {
                continue;
            }
            if self.failed.is_some() {
                break;
            }
            let (part, outcome) = self.append(part);
            match outcome {
                Outcome::Durable => {
                    let then = part.into_iter().filter_map(|request| request.then);
                    fates.extend(then.map(|(who, answer)| (who, Fate::Kept(answer))));
                }
                Outcome::Refused(error) => {
                    for part in self.refused(part, &error, &mut fates).into_iter().rev() {
                        parts.push_front(part);
                    }
                }
                Outcome::Fenced => self.failed = Some(FENCED.into()),
                Outcome::Unknown(error) => self.failed = Some(error.to_string().into()),
            }
        }
        fates
    }

    /// Appends what no room asks for, and waits for what becomes of it.
    ///
    /// # Errors
    /// Why it is not kept.
    pub fn commit_alone(&mut self, writes: Vec<Write>) -> Result<(), Arc<str>> {
        if let Some(reason) = &self.failed {
            return Err(reason.clone());
        }
        let part = vec![Request::<W, ()> { writes, then: None, otherwise: None }];
        let failed: Arc<str> = match self.append(part).1 {
            Outcome::Durable => return Ok(()),
            Outcome::Refused(error) => return Err(error.to_string().into()),
            Outcome::Fenced => FENCED.into(),
            Outcome::Unknown(error) => error.to_string().into(),
        };
        self.failed = Some(failed.clone());
        Err(failed)
    }

    /// Why nothing can be kept any more, if that is so.
    #[must_use]
    pub fn failure(&self) -> Option<&Arc<str>> {
        self.failed.as_ref()
    }

    /// The store, for what is no commit.
    pub fn store_mut(&mut self) -> &mut S {
        &mut self.store
    }

    /// Leaves the store in order, after which nothing is to be committed.
    ///
    /// # Errors
    /// Those of [`Store::finish`]. A store that has failed is left as it is.
    pub fn finish(&mut self) -> Result<(), StoreError> {
        match self.failed {
            Some(_) => Ok(()),
            None => self.store.finish(),
        }
    }

    /// Appends one record, and gives its requests back.
    fn append<A>(&mut self, mut part: Vec<Request<W, A>>) -> (Vec<Request<W, A>>, Outcome) {
        let counts: Vec<usize> = part.iter().map(|request| request.writes.len()).collect();
        let mut record = Vec::with_capacity(counts.iter().sum());
        part.iter_mut().for_each(|request| record.append(&mut request.writes));
        let ticket = self.store.append(&record);
        let settled = self.store.settle().into_iter().find(|(settled, _)| *settled == ticket);
        let outcome = settled.map_or(Outcome::Fenced, |(_, outcome)| outcome);
        if let Outcome::Refused(_) = outcome {
            let mut writes = record.into_iter();
            for (request, count) in part.iter_mut().zip(counts) {
                request.writes.extend(writes.by_ref().take(count));
            }
        }
        (part, outcome)
    }

    /// Tells those who are to blame for a refusal, and gives back the others: they are tried again.
    fn refused<A>(
        &mut self,
        mut part: Vec<Request<W, A>>,
        error: &StoreError,
        fates: &mut Vec<(W, Fate<A>)>,
    ) -> Vec<Vec<Request<W, A>>> {
        if part.len() > 1 && !concerns_everybody(error) {
            // Whoever it is, half of the others are rid of them.
            let rest = part.split_off(part.len() / 2);
            return vec![part, rest];
        }
        let reason: Arc<str> = error.to_string().into();
        for Request { then, otherwise, .. } in part {
            let Some((who, _)) = then else { continue };
            fates.push(match otherwise {
                Some(answer) => (who, Fate::Refused(answer, reason.clone())),
                None => {
                    self.remember_lost(who);
                    (who, Fate::Lost(reason.clone()))
                }
            });
        }
        Vec::new()
    }

    fn remember_lost(&mut self, who: W) {
        if self.lost.insert(who) {
            self.lost_in_order.push_back(who);
        }
        if self.lost_in_order.len() > LOST_REMEMBERED
            && let Some(oldest) = self.lost_in_order.pop_front()
        {
            self.lost.remove(&oldest);
        }
    }
}

/// Whether it would be the same for every record, as when the disk is full.
fn concerns_everybody(error: &StoreError) -> bool {
    !matches!(
        error,
        StoreError::OutOfOrder { .. }
            | StoreError::EmptyAppend { .. }
            | StoreError::TooLarge { .. }
            | StoreError::Damaged { .. }
            | StoreError::DamagedModule { .. }
    )
}

impl<W, S> fmt::Debug for Committer<W, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Committer").field("failed", &self.failed).finish_non_exhaustive()
    }
}

impl<S: Store + ?Sized> Store for Box<S> {
    fn append(&mut self, record: &[Write]) -> Ticket {
        (**self).append(record)
    }

    fn settle(&mut self) -> Vec<(Ticket, Outcome)> {
        (**self).settle()
    }

    fn states_wanted(&self) -> u64 {
        (**self).states_wanted()
    }

    fn rate(&self) -> Option<u64> {
        (**self).rate()
    }

    fn finish(&mut self) -> Result<(), StoreError> {
        (**self).finish()
    }

    fn monitor(&self) -> Arc<dyn Monitor> {
        (**self).monitor()
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        (**self).reader()
    }
}
