//! Commits what rooms have to keep, in groups, and tells each what became of its own. A thread of its own, the
//! keeper, does it; where commits don't wait for the disk, shards do it too.

use super::requests::{Answer, Answers, Request, bytes_of};
use crate::{counters, lock::lock, names::Address};
use stateroom_store::{Committer, Fate, Store};
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
        mpsc::Receiver,
    },
    thread,
    time::{Duration, Instant},
};

/// How many requests one commit takes at most, so that the first of them don't wait for the last.
const REQUESTS_PER_COMMIT: usize = 8 * 1024;

/// How many bytes one commit takes at most, and one request more.
const BYTES_PER_COMMIT: usize = 8 << 20;

/// A group of so many requests says that the server is busy.
const REQUESTS_WHEN_BUSY: usize = 64;

/// How long it is then from one commit to the next, at least.
const WINDOW_WHEN_BUSY: Duration = Duration::from_millis(1);

/// Whom the keeper tells: the shard of that number, or everybody that nothing can be kept any more.
pub(crate) trait Listener: Send + Sync {
    /// What became of what rooms of a shard wanted to be kept.
    fn answers(&self, shard: usize, answers: Answers);

    /// Nothing can be kept any more.
    fn failed(&self, reason: &Arc<str>);
}

/// What the thread and the shards share.
pub(super) struct Committing {
    /// Whoever has it may wait for the disk. `None` once the store is closed.
    pub(super) committer: Mutex<Option<Committer<Address>>>,
    pub(super) broken: AtomicBool,
    /// How many requests the thread has been sent and has not done. It is looked at by who has the committer.
    pub(super) sent: AtomicUsize,
    /// How many bytes rooms hold beside that: of what they have yet to submit, and of what may be sent only
    /// when that is durable.
    pub(super) held: AtomicUsize,
    /// How many bytes wait to be committed.
    pub(super) waiting: AtomicUsize,
    /// See [`Store::states_wanted`].
    pub(super) states_wanted: AtomicU64,
    pub(super) listener: Arc<dyn Listener>,
}

impl Committing {
    pub(super) fn new(store: Box<dyn Store>, listener: Arc<dyn Listener>) -> Self {
        Committing {
            committer: Mutex::new(Some(Committer::new(store))),
            broken: AtomicBool::new(false),
            sent: AtomicUsize::new(0),
            held: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            states_wanted: AtomicU64::new(0),
            listener,
        }
    }

    /// The thread: takes requests until there are no more, then closes the store.
    pub(super) fn run(&self, shards: usize, requests: &Receiver<Option<Vec<Request>>>) {
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
            let count = group.len();
            let answers = self.commit(&mut lock(&self.committer), group);
            self.sent.fetch_sub(count, Relaxed);
            self.tell(shards, answers);
        }
        if let Some(mut committer) = lock(&self.committer).take()
            && let Err(error) = committer.finish()
        {
            tracing::error!(%error, "the store was not left in order: the next start takes longer");
        }
    }

    /// Counts a request that waits from now on.
    pub(super) fn wait_for(&self, request: &Request) {
        let bytes = bytes_of(request);
        self.waiting.fetch_add(bytes, Relaxed);
        counters::add(|counters| {
            counters.undurable_bytes = counters.undurable_bytes.wrapping_add(bytes as u64);
        });
    }

    /// Commits a group, and gives back what each room is to be told.
    pub(super) fn commit(
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
        self.states_wanted.store(committer.store_mut().states_wanted(), Relaxed);
        self.look_for_failure(committer);
        let answer = |fate| match fate {
            Fate::Kept(answer) => answer,
            Fate::Lost(reason) => Answer::Lost(reason),
        };
        fates.into_iter().map(|(who, fate)| (who, answer(fate))).collect()
    }

    /// Has it known if nothing can be kept any more.
    pub(super) fn look_for_failure(&self, committer: &Committer<Address>) {
        if let Some(reason) = committer.failure()
            && !self.broken.swap(true, Relaxed)
        {
            tracing::error!(%reason, "what rooms do can be kept no more");
            self.listener.failed(reason);
        }
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
