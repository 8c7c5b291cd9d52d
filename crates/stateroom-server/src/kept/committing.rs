//! Commits what rooms have to keep, in groups, and tells each what became of its own. A thread of its own, the
//! keeper, does it; where commits don't wait for the disk, shards do it too.

use super::requests::{Answer, Answers, Request, bytes_of};
use crate::{counters, lock::lock, names::Address};
use stateroom_store::{Committer, Fate, Store, StoreError};
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

/// While the store takes only so much in a second, a commit takes as much as it does in this time, and no more
/// waits than it does in [`WAITING_WHEN_PACED`]. So whoever has little to keep doesn't wait for long.
const COMMIT_WHEN_PACED: Duration = Duration::from_millis(20);
pub(super) const WAITING_WHEN_PACED: Duration = Duration::from_millis(250);

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
    /// See [`Store::rate`]; 0 for any number.
    rate: AtomicU64,
    /// Whether the server ends: what it has yet to keep is little beside what it has kept.
    pub(super) ends: AtomicBool,
    /// The rooms that are not saved though the server ends, and why.
    unsaved: Mutex<Vec<(Arc<str>, Arc<str>)>>,
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
            rate: AtomicU64::new(0),
            ends: AtomicBool::new(false),
            unsaved: Mutex::default(),
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
            let most = self.in_time(COMMIT_WHEN_PACED).unwrap_or(BYTES_PER_COMMIT);
            let group = next_group(&mut waiting, most.min(BYTES_PER_COMMIT));
            let count = group.len();
            busy_until = began + self.pause(&group);
            let answers = self.commit(&mut lock(&self.committer), group);
            self.sent.fetch_sub(count, Relaxed);
            self.tell(shards, answers);
        }
        if let Some(mut committer) = lock(&self.committer).take()
            && let Err(error) = committer.finish()
        {
            match error {
                StoreError::Unfinished => tracing::info!("{error}"),
                error => {
                    tracing::error!(%error, "the store was not left in order: the next start takes longer")
                }
            }
        }
    }

    /// How many bytes the store takes in a second, if not any number.
    pub(super) fn rate(&self) -> Option<f64> {
        let rate = self.rate.load(Relaxed);
        (rate > 0 && !self.ends.load(Relaxed)).then_some(rate as f64)
    }

    /// How many it takes in this time, if not any number.
    pub(super) fn in_time(&self, time: Duration) -> Option<usize> {
        self.rate().map(|rate| (rate * time.as_secs_f64()) as usize)
    }

    /// How long it is from the beginning of a commit of `group` to the next.
    fn pause(&self, group: &[Request]) -> Duration {
        let when_busy = match group.len() {
            0..REQUESTS_WHEN_BUSY => Duration::ZERO,
            REQUESTS_WHEN_BUSY.. => WINDOW_WHEN_BUSY,
        };
        let paced = self.rate().map_or(Duration::ZERO, |rate| {
            let bytes: usize = group.iter().map(bytes_of).sum();
            Duration::from_secs_f64(bytes as f64 / rate)
        });
        // A large state has a file of its own.
        when_busy.max(paced.min(WAITING_WHEN_PACED))
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
        let store = committer.store_mut();
        self.states_wanted.store(store.states_wanted(), Relaxed);
        self.rate.store(store.rate().unwrap_or(0), Relaxed);
        self.look_for_failure(committer);
        let answer = |fate| match fate {
            Fate::Kept(answer) => Some(answer),
            Fate::Lost(reason) => Some(Answer::Lost(reason)),
            Fate::Refused(Answer::Unsaved(room), reason) => {
                // Its shard may have ended.
                lock(&self.unsaved).push((room, reason));
                None
            }
            Fate::Refused(answer, _) => Some(answer),
        };
        fates.into_iter().filter_map(|(who, fate)| Some((who, answer(fate)?))).collect()
    }

    /// Takes the rooms that are not saved though the server ends, with the reasons.
    pub(super) fn take_unsaved(&self) -> Vec<(Arc<str>, Arc<str>)> {
        std::mem::take(&mut lock(&self.unsaved))
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

/// What waits, as far as one commit of `most` bytes takes it.
fn next_group(waiting: &mut VecDeque<Request>, most: usize) -> Vec<Request> {
    let mut bytes = 0;
    let fits = |request: &&Request| {
        let has_room = bytes < most.max(1);
        bytes += bytes_of(request);
        has_room
    };
    let count = waiting.iter().take(REQUESTS_PER_COMMIT).take_while(fits).count();
    waiting.drain(..count).collect()
}
