//! The way of what rooms have to keep: it is gathered, and given to whoever commits it in groups.
//!
//! A shard gathers what its rooms submit, and gives it to a thread, the keeper. While one group is on its
//! way to the disk the next one gathers, so the busier a server is, the more events share a commit. When
//! it is busy, the thread also waits a little for more of them: each commit costs as much as many events.
//!
//! Where commits are not flushed, the log takes a group in less time than it would take to wake another
//! thread, so the shard commits it itself, by the same committer. What may take long, such as large states, is
//! the thread's.

use super::{
    committing::{Committing, Listener, WAITING_WHEN_PACED},
    requests::{Answer, Answers, Request, is_of_events, is_small_state},
};
use crate::{health::ThreadGuard, lock::lock, names::Address};
use stateroom_store::{Store, Write};
use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::{Sender, channel},
    },
    thread::{self, JoinHandle},
};

/// How many requests of one shard gather before they are passed on to the thread.
const REQUESTS_ON_THEIR_WAY: usize = 256;

/// And how many where the shard commits them itself: few enough for what they have heard and said to be
/// in the processor's cache still when they are answered.
const REQUESTS_AT_ONCE: usize = 32;

/// When this many bytes wait to be committed, or for that to be sent, rooms hear nothing more.
pub(crate) const MOST_WAITING_BYTES: usize = 64 << 20;

/// The way to the store.
pub(crate) struct Keeper {
    /// What the rooms of each shard have submitted since it was last passed on.
    gathered: Box<[Mutex<Vec<Request>>]>,
    /// Whether shards commit events themselves.
    at_once: bool,
    /// Requests, or the word that there are no more.
    requests: Sender<Option<Vec<Request>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Set before what is gathered is passed on for the last time, and looked at by who has that locked.
    is_closed: AtomicBool,
    shared: Arc<Committing>,
}

impl Keeper {
    /// With `at_once`, commits don't wait for the disk.
    pub(crate) fn start(
        store: Box<dyn Store>,
        at_once: bool,
        shards: usize,
        listener: Arc<dyn Listener>,
        guard: ThreadGuard,
    ) -> io::Result<Self> {
        let (requests, receiver) = channel();
        let shared = Arc::new(Committing::new(store, listener));
        let of_thread = shared.clone();
        let thread = thread::Builder::new().name("keeper".to_owned()).spawn(move || {
            of_thread.run(shards, &receiver);
            guard.done();
        })?;
        let gathered = (0..shards).map(|_| Mutex::default()).collect();
        let thread = Mutex::new(Some(thread));
        Ok(Keeper {
            gathered,
            at_once,
            requests,
            thread,
            is_closed: AtomicBool::new(false),
            shared,
        })
    }

    /// Has something of a room kept, when the room's shard next calls [`Keeper::pass_on`]. To be called in
    /// a turn of the room. `false` if nothing is kept any more, since the server has ended.
    pub(crate) fn gather(&self, shard: usize, request: Request) -> bool {
        let Some(gathered) = self.gathered.get(shard) else { return false };
        let mut gathered = lock(gathered);
        if self.is_closed.load(Relaxed) {
            return false;
        }
        self.shared.wait_for(&request);
        gathered.push(request);
        true
    }

    /// Has kept what the rooms of a shard have submitted. Gives back the answers that there are already.
    pub(crate) fn pass_on(&self, shard: usize) -> Answers {
        self.gathered.get(shard).map_or(Answers::new(), |gathered| self.take(&mut lock(gathered)))
    }

    /// The same in the midst of a round, if many have.
    pub(crate) fn pass_on_many(&self, shard: usize) -> Answers {
        let many = if self.at_once { REQUESTS_AT_ONCE } else { REQUESTS_ON_THEIR_WAY };
        match self.gathered.get(shard).map(lock) {
            Some(mut gathered) if gathered.len() >= many => self.take(&mut gathered),
            _ => Answers::new(),
        }
    }

    /// Has something of a room kept after all that the room has submitted, from any thread.
    pub(crate) fn request_after(&self, shard: usize, request: Request) {
        let Some(gathered) = self.gathered.get(shard) else { return };
        let mut gathered = lock(gathered);
        if self.is_closed.load(Relaxed) {
            return;
        }
        self.shared.wait_for(&request);
        // What was gathered is passed on when the shard's round ends, and this with it.
        match gathered.is_empty() {
            true => self.send(vec![request]),
            false => gathered.push(request),
        }
    }

    /// Tells a room something that nothing is to be kept for, from any thread.
    pub(crate) fn tell(&self, room: Address, answer: Answer) {
        self.shared.listener.answers(room.shard, vec![(room.room, answer)]);
    }

    /// Has something kept that is no room's, and waits until it is.
    ///
    /// # Errors
    /// Why it is not.
    pub(crate) fn keep_now(&self, writes: Vec<Write>) -> Result<(), Arc<str>> {
        let mut committer = lock(&self.shared.committer);
        let Some(committer) = &mut *committer else { return Err("the server ends".into()) };
        let kept = committer.commit_alone(writes);
        self.shared.look_for_failure(committer);
        kept
    }

    /// Commits what was gathered, or sends it on its way. It stays locked meanwhile, so that nothing
    /// overtakes it.
    fn take(&self, gathered: &mut Vec<Request>) -> Answers {
        let mut group = std::mem::take(gathered);
        let mut answers = Answers::new();
        if self.at_once && self.shared.rate().is_none() && !group.is_empty() {
            // Whoever has the committer now may be at it for long.
            if let Ok(mut committer) = self.shared.committer.try_lock() {
                // A state may follow from what is left to the thread, now or before.
                let mut is_left = self.shared.sent.load(Relaxed) > 0;
                let (quick, others) = group.into_iter().partition(|request| {
                    let is_quick = is_of_events(request) || !is_left && is_small_state(request);
                    is_left |= !is_quick;
                    is_quick
                });
                let told = self.shared.commit(&mut committer, quick);
                answers =
                    told.into_iter().map(|(address, answer)| (address.room, answer)).collect();
                group = others;
            }
        }
        if !group.is_empty() {
            self.send(group);
        }
        answers
    }

    /// After [`Keeper::finish`] nobody is told what became of it.
    fn send(&self, group: Vec<Request>) {
        self.shared.sent.fetch_add(group.len(), Relaxed);
        // The thread only ends after the last request.
        let _ = self.requests.send(Some(group));
    }

    /// Whether nothing can be kept any more: the disk has failed.
    pub(crate) fn is_broken(&self) -> bool {
        self.shared.broken.load(Relaxed)
    }

    /// Counts up when rooms that have heard much should save their states.
    pub(crate) fn states_wanted(&self) -> u64 {
        self.shared.states_wanted.load(Relaxed)
    }

    /// Whether so much waits to be kept that rooms should not hear more.
    pub(crate) fn is_behind(&self) -> bool {
        let held = self.shared.held.load(Relaxed);
        let most = self.shared.in_time(WAITING_WHEN_PACED).unwrap_or(MOST_WAITING_BYTES);
        self.shared.waiting.load(Relaxed).saturating_add(held) >= most.min(MOST_WAITING_BYTES)
    }

    /// Says that the server ends: what rooms have kept now is the last.
    pub(crate) fn end_soon(&self) {
        self.shared.ends.store(true, Relaxed);
    }

    /// Whether so much waits to be committed that no room should be saved for good before.
    pub(crate) fn has_much_to_commit(&self) -> bool {
        self.shared.waiting.load(Relaxed) >= MOST_WAITING_BYTES
    }

    /// Notes how many bytes a room holds that it has yet to submit, or to send, and how many it held before.
    pub(crate) fn holds(&self, before: usize, now: usize) {
        // The sum is right at any moment, whatever the order.
        self.shared.held.fetch_add(now.wrapping_sub(before), Relaxed);
    }

    /// Takes no more requests, waits until all there were are done, and closes the store. Gives the rooms whose
    /// last state was refused, and why.
    pub(crate) fn finish(&self) -> Vec<(Arc<str>, Arc<str>)> {
        self.is_closed.store(true, Relaxed);
        // Nobody is there any more to be told.
        (0..self.gathered.len()).for_each(|shard| drop(self.pass_on(shard)));
        let _ = self.requests.send(None);
        if let Some(thread) = lock(&self.thread).take()
            && thread.join().is_err()
        {
            tracing::error!("the server has a bug: the thread that keeps its rooms panicked");
        }
        self.shared.take_unsaved()
    }
}

#[cfg(test)]
#[path = "keeper_tests.rs"]
mod tests;
