//! Who writes to the store: gathers what rooms have to keep, has it committed in groups, and tells each room
//! what became of its own.
//!
//! A shard gathers what its rooms submit, and gives it to a thread, the keeper. While one group is on its
//! way to the disk the next one gathers, so the busier a server is, the more events share a commit. When
//! it is busy, the thread also waits a little for more of them: each commit costs as much as many events.
//!
//! Where commits are not flushed, the log takes a group in less time than it would take to wake another
//! thread, so the shard commits it itself, by the same committer. What may be large, such as states, is the
//! thread's.

use super::requests::{Answer, Answers, Request, bytes_of, is_of_events};
use crate::{counters, health::ThreadGuard, lock::lock, names::Address};
use stateroom_store::{Committer, Fate, Store};
use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
        mpsc::{Receiver, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// How many requests one commit takes at most, so that the first of them don't wait for the last.
const REQUESTS_PER_COMMIT: usize = 8 * 1024;

/// How many bytes one commit takes at most, and one request more.
const BYTES_PER_COMMIT: usize = 8 << 20;

/// How many requests of one shard gather before they are passed on to the thread.
const REQUESTS_ON_THEIR_WAY: usize = 256;

/// And how many where the shard commits them itself: few enough for what they have heard and said to be
/// in the processor's cache still when they are answered.
const REQUESTS_AT_ONCE: usize = 32;

/// A group of so many requests says that the server is busy.
const REQUESTS_WHEN_BUSY: usize = 64;

/// How long it is then from one commit to the next, at least.
const WINDOW_WHEN_BUSY: Duration = Duration::from_millis(1);

/// When this many bytes wait to be committed, rooms that have something on its way hear nothing more.
pub(crate) const MOST_WAITING_BYTES: usize = 64 << 20;

/// Whom the keeper tells: the shard of that number, or everybody that nothing can be kept any more.
pub(crate) trait Listener: Send + Sync {
    /// What became of what rooms of a shard wanted to be kept.
    fn answers(&self, shard: usize, answers: Answers);

    /// Nothing can be kept any more.
    fn failed(&self, reason: &Arc<str>);
}

/// The way to the store.
pub(crate) struct Keeper {
    /// What the rooms of each shard have submitted since it was last passed on.
    gathered: Box<[Mutex<Vec<Request>>]>,
    /// Whether shards commit events themselves.
    at_once: bool,
    /// Requests, or the word that there are no more.
    requests: Sender<Option<Vec<Request>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    shared: Arc<Shared>,
}

/// What the thread and the shards share.
struct Shared {
    /// Whoever has it may wait for the disk. `None` once the store is closed.
    committer: Mutex<Option<Committer<Address>>>,
    broken: AtomicBool,
    /// How many bytes wait to be committed.
    waiting: AtomicUsize,
    listener: Arc<dyn Listener>,
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
        let shared = Arc::new(Shared {
            committer: Mutex::new(Some(Committer::new(store))),
            broken: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
            listener,
        });
        let of_thread = shared.clone();
        let thread = thread::Builder::new().name("keeper".to_owned()).spawn(move || {
            of_thread.run(shards, &receiver);
            guard.done();
        })?;
        let gathered = (0..shards).map(|_| Mutex::default()).collect();
        let thread = Mutex::new(Some(thread));
        Ok(Keeper { gathered, at_once, requests, thread, shared })
    }

    /// Has something of a room kept, when the room's shard next calls [`Keeper::pass_on`]. To be called in
    /// a turn of the room.
    pub(crate) fn gather(&self, shard: usize, request: Request) {
        if let Some(gathered) = self.gathered.get(shard) {
            self.shared.wait_for(&request);
            lock(gathered).push(request);
        }
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
        let answers = self.pass_on(shard);
        self.request(request);
        if !answers.is_empty() {
            self.shared.listener.answers(shard, answers);
        }
    }

    /// Tells a room something that nothing is to be kept for, from any thread.
    pub(crate) fn tell(&self, room: Address, answer: Answer) {
        self.shared.listener.answers(room.shard, vec![(room.room, answer)]);
    }

    /// Has something kept that is no room's.
    pub(crate) fn request(&self, request: Request) {
        self.shared.wait_for(&request);
        self.send(vec![request]);
    }

    /// Commits what was gathered, or sends it on its way. It stays locked meanwhile, so that nothing
    /// overtakes it.
    fn take(&self, gathered: &mut Vec<Request>) -> Answers {
        let mut group = std::mem::take(gathered);
        let mut answers = Answers::new();
        if self.at_once && !group.is_empty() {
            // Whoever has the committer now may be at it for long.
            if let Ok(mut committer) = self.shared.committer.try_lock() {
                let (events, others) = group.into_iter().partition(is_of_events);
                let told = self.shared.commit(&mut committer, events);
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
        // The thread only ends after the last request.
        let _ = self.requests.send(Some(group));
    }

    /// Whether nothing can be kept any more: the disk has failed.
    pub(crate) fn is_broken(&self) -> bool {
        self.shared.broken.load(Relaxed)
    }

    /// Whether so much waits to be kept that rooms should not hear more.
    pub(crate) fn is_behind(&self) -> bool {
        self.shared.waiting.load(Relaxed) >= MOST_WAITING_BYTES
    }

    /// Takes no more requests, waits until all there were are done, and closes the store.
    pub(crate) fn finish(&self) {
        // Nobody is there any more to be told.
        (0..self.gathered.len()).for_each(|shard| drop(self.pass_on(shard)));
        let _ = self.requests.send(None);
        if let Some(thread) = lock(&self.thread).take()
            && thread.join().is_err()
        {
            tracing::error!("the server has a bug: the thread that keeps its rooms panicked");
        }
    }
}

impl Shared {
    /// The thread: takes requests until there are no more, then closes the store.
    fn run(&self, shards: usize, requests: &Receiver<Option<Vec<Request>>>) {
        let mut busy_until = Instant::now();
        let mut waiting = VecDeque::new();
        let mut is_open = true;
        while is_open || !waiting.is_empty() {
            if waiting.is_empty() {
                let Ok(Some(first)) = requests.recv() else { break };
                waiting.extend(first);
            }
            let wait = busy_until.saturating_duration_since(Instant::now());
            if !wait.is_zero() {
                thread::sleep(wait);
            }
            let began = Instant::now();
            while is_open
                && waiting.len() < REQUESTS_PER_COMMIT
                && let Ok(more) = requests.try_recv()
            {
                is_open = more.is_some();
                waiting.extend(more.into_iter().flatten());
            }
            let group = next_group(&mut waiting);
            if group.len() >= REQUESTS_WHEN_BUSY {
                busy_until = began + WINDOW_WHEN_BUSY;
            }
            let answers = self.commit(&mut lock(&self.committer), group);
            self.tell(shards, answers);
        }
        if let Some(mut committer) = lock(&self.committer).take()
            && let Err(error) = committer.finish()
        {
            tracing::error!(%error, "the store was not left in order: the next start takes longer");
        }
    }

    /// Counters a request that waits from now on.
    fn wait_for(&self, request: &Request) {
        let bytes = bytes_of(request);
        self.waiting.fetch_add(bytes, Relaxed);
        counters::add(|counters| {
            counters.undurable_bytes = counters.undurable_bytes.wrapping_add(bytes as u64);
        });
    }

    /// Commits a group, and gives back what each room is to be told.
    fn commit(
        &self,
        committer: &mut Option<Committer<Address>>,
        group: Vec<Request>,
    ) -> Vec<(Address, Answer)> {
        if group.is_empty() {
            return Vec::new();
        }
        let bytes: usize = group.iter().map(bytes_of).sum();
        self.waiting.fetch_sub(bytes, Relaxed);
        counters::add(|counters| {
            counters.undurable_bytes = counters.undurable_bytes.wrapping_sub(bytes as u64);
            counters.committed_bytes += bytes as u64;
            counters.commits += 1;
        });
        let Some(committer) = committer else { return Vec::new() };
        let fates = committer.commit(group);
        if let Some(reason) = committer.failure()
            && !self.broken.swap(true, Relaxed)
        {
            tracing::error!(%reason, "what rooms do can be kept no more");
            self.listener.failed(reason);
        }
        let answer = |fate| match fate {
            Fate::Kept(answer) => answer,
            Fate::Lost(reason) => Answer::Lost(reason),
        };
        fates.into_iter().map(|(who, fate)| (who, answer(fate))).collect()
    }

    /// Tells the shards what their rooms are to be told.
    fn tell(&self, shards: usize, answers: Vec<(Address, Answer)>) {
        let mut of_shards = vec![Answers::new(); shards];
        for (Address { shard, room }, answer) in answers {
            if let Some(answers) = of_shards.get_mut(shard) {
                answers.push((room, answer));
            }
        }
        for (shard, answers) in of_shards.into_iter().enumerate() {
            if !answers.is_empty() {
                self.listener.answers(shard, answers);
            }
        }
    }
}

/// What waits, as far as one commit takes it.
fn next_group(waiting: &mut VecDeque<Request>) -> Vec<Request> {
    let mut bytes = 0;
    let fits = |request: &&Request| {
        let has_room = bytes < BYTES_PER_COMMIT;
        bytes += bytes_of(request);
        has_room
    };
    let count = waiting.iter().take(REQUESTS_PER_COMMIT).take_while(fits).count();
    waiting.drain(..count).collect()
}

#[cfg(test)]
#[path = "keeper_tests.rs"]
mod tests;
