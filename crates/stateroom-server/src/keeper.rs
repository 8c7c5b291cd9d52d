//! Who writes to the store: takes what rooms have to keep, commits it in groups, and tells each room when
//! its own is durable.
//!
//! A shard gathers what its rooms submit, and gives it to a thread, the keeper. While one group is on its
//! way to the disk the next one gathers, so the busier a server is, the more events share a commit. When
//! it is busy, the thread also waits a little for more of them: each commit costs as much as many events.
//!
//! Where commits are not flushed, the log takes a group in less time than it would take to wake another
//! thread, so the shard commits it itself. What else there is to keep, such as states, is the thread's.

use crate::{
    lock::lock,
    room::RoomFactory,
    shard::{Letter, Mailbox, RoomKey},
};
use stateroom_store::{Store, StoreError, Write};
use std::{
    collections::HashSet,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// How many requests one commit takes at most, so that the first of them don't wait for the last.
const REQUESTS_PER_COMMIT: usize = 8 * 1024;

/// How many bytes one commit takes at most, more or less.
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

/// How long there must be nothing to write before the store is put in order.
const QUIET: Duration = Duration::from_millis(20);

/// Even a store that is never left alone has to be put in order this often.
const LONGEST_WITHOUT_ORDER: Duration = Duration::from_secs(1);

/// Where a room is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Address {
    pub(crate) shard: usize,
    pub(crate) room: RoomKey,
}

/// What a room wants to be kept.
#[derive(Debug)]
pub(crate) struct Request {
    /// All of one room, or of none.
    pub(crate) writes: Vec<Write>,
    /// Who is told when they are durable, and what.
    pub(crate) then: Option<(Address, Answer)>,
}

impl Request {
    /// Whether it is about what a room that is known has heard, and nothing else.
    fn is_of_events(&self) -> bool {
        self.writes.iter().all(|write| matches!(write, Write::Append { .. }))
    }
}

/// What a room is told.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// The records that it submitted are durable.
    Records,
    /// Its state after so many events is durable.
    State {
        /// How many.
        at: u64,
    },
    /// Its state could not be saved now, which harms nobody.
    NotSaved,
    /// What it wanted to be kept is not, and it must end.
    Lost(Arc<str>),
}

/// What rooms of a shard are told.
pub(crate) type Answers = Vec<(RoomKey, Answer)>;

/// The way to the store.
pub(crate) struct Keeper<F: RoomFactory> {
    /// What the rooms of each shard have submitted since it was last passed on.
    gathered: Box<[Mutex<Vec<Request>>]>,
    shards: Arc<[Arc<Mailbox<F>>]>,
    desk: Arc<Mutex<Desk>>,
    /// Whether shards commit events themselves.
    at_once: bool,
    /// Requests, or the word that there are no more.
    requests: Sender<Option<Vec<Request>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    broken: Arc<AtomicBool>,
}

impl<F: RoomFactory> Keeper<F> {
    /// With `at_once`, commits don't wait for the disk.
    pub(crate) fn start(
        store: Box<dyn Store>,
        at_once: bool,
        shards: Arc<[Arc<Mailbox<F>>]>,
    ) -> io::Result<Self> {
        let (requests, receiver) = channel();
        let gathered = shards.iter().map(|_| Mutex::default()).collect();
        let broken = Arc::new(AtomicBool::new(false));
        let lost = HashSet::new();
        let desk = Desk { store: Some(store), lost, broken: broken.clone() };
        let desk = Arc::new(Mutex::new(desk));
        let (of_thread, mailboxes) = (desk.clone(), shards.clone());
        let thread = thread::Builder::new().name("keeper".to_owned()).spawn(move || {
            run(&of_thread, at_once, &mailboxes, &receiver);
            // Closes the store, also while others know of the desk.
            lock(&of_thread).store = None;
        })?;
        let thread = Mutex::new(Some(thread));
        Ok(Keeper { gathered, shards, desk, at_once, requests, thread, broken })
    }

    /// Has something of a room kept, when the room's shard next calls [`Keeper::pass_on`]. To be called in
    /// a turn of the room.
    pub(crate) fn gather(&self, shard: usize, request: Request) {
        if let Some(gathered) = self.gathered.get(shard) {
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
        self.tell(shard, answers);
    }

    /// Has something kept that is no room's.
    pub(crate) fn request(&self, request: Request) {
        self.send(vec![request]);
    }

    /// Commits what was gathered, or sends it on its way. It stays locked meanwhile, so that nothing
    /// overtakes it.
    fn take(&self, gathered: &mut Vec<Request>) -> Answers {
        let mut group = std::mem::take(gathered);
        let mut answers = Answers::new();
        if self.at_once && !group.is_empty() {
            // Whoever has the desk now may be at it for long.
            if let Ok(mut desk) = self.desk.try_lock() {
                let (events, others) = group.into_iter().partition(Request::is_of_events);
                answers = desk.commit(events).into_iter().map(|(_, answer)| answer).collect();
                group = others;
            }
        }
        if !group.is_empty() {
            self.send(group);
        }
        answers
    }

    fn tell(&self, shard: usize, answers: Answers) {
        if let Some(mailbox) = self.shards.get(shard).filter(|_| !answers.is_empty()) {
            mailbox.send(Letter::Answers(answers));
        }
    }

    /// After [`Keeper::finish`] nobody is told what became of it.
    fn send(&self, group: Vec<Request>) {
        // The thread only ends after the last request.
        let _ = self.requests.send(Some(group));
    }

    /// Whether nothing can be kept any more: the disk has failed.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Relaxed)
    }

    /// Takes no more requests, and waits until all there were are done.
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

/// The thread: takes requests until there are no more.
fn run<F: RoomFactory>(
    desk: &Mutex<Desk>,
    at_once: bool,
    shards: &[Arc<Mailbox<F>>],
    requests: &Receiver<Option<Vec<Request>>>,
) {
    let mut is_in_order = false;
    let (mut ordered, mut busy_until) = (Instant::now(), Instant::now());
    loop {
        let first = match (is_in_order, at_once) {
            (false, _) => requests.recv_timeout(QUIET),
            // Of what shards commit themselves nothing is heard here.
            (true, true) => requests.recv_timeout(LONGEST_WITHOUT_ORDER),
            (true, false) => requests.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match first {
            Ok(Some(first)) => {
                let wait = busy_until.saturating_duration_since(Instant::now());
                if !wait.is_zero() {
                    thread::sleep(wait);
                }
                let began = Instant::now();
                let (group, is_last) = gather(first, requests);
                if group.len() >= REQUESTS_WHEN_BUSY {
                    busy_until = began + WINDOW_WHEN_BUSY;
                }
                let answers = lock(desk).commit(group);
                tell(shards, answers);
                if is_last {
                    return;
                }
                is_in_order = false;
                if ordered.elapsed() >= LONGEST_WITHOUT_ORDER {
                    ordered = Instant::now();
                    lock(desk).put_in_order();
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                ordered = Instant::now();
                is_in_order = !lock(desk).put_in_order();
            }
            Ok(None) | Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Where commits are made. Whoever has it may wait for the disk.
struct Desk {
    /// `None` once it is closed.
    store: Option<Box<dyn Store>>,
    /// Rooms that were told that something of theirs is lost. What they may still have on its way
    /// follows from that, so it is lost too.
    lost: HashSet<Address>,
    broken: Arc<AtomicBool>,
}

impl Desk {
    /// Tells whether there is more to do.
    fn put_in_order(&mut self) -> bool {
        let Some(store) = &mut self.store else { return false };
        store.maintain().unwrap_or_else(|error| {
            tracing::warn!(%error, "the store could not be put in order");
            false
        })
    }

    /// Commits a group, and gives back what each room is to be told.
    fn commit(&mut self, mut group: Vec<Request>) -> Vec<(usize, (RoomKey, Answer))> {
        let mut answers = Vec::with_capacity(group.len());
        let mut tell = |room: Address, answer| answers.push((room.shard, (room.room, answer)));
        let Some(store) = &mut self.store else { return answers };
        group.retain(|request| {
            request.then.as_ref().is_none_or(|(from, _)| !self.lost.contains(from))
        });
        while !group.is_empty() {
            let counts: Vec<usize> = group.iter().map(|request| request.writes.len()).collect();
            let mut writes = Vec::with_capacity(group.len());
            group.iter_mut().for_each(|request| writes.append(&mut request.writes));
            let Err(error) = store.commit(&writes) else {
                let then = group.into_iter().filter_map(|request| request.then);
                then.for_each(|(room, answer)| tell(room, answer));
                break;
            };
            tracing::error!(%error, "what rooms did is not kept");
            if matches!(error, StoreError::Failed { .. } | StoreError::Closed { .. }) {
                self.broken.store(true, Relaxed);
            }
            let culprit = culprit(&error)
                .filter(|culprit| writes.iter().any(|write| write.room() == Some(culprit)));
            let reason: Arc<str> = error.to_string().into();
            let mut writes = writes.into_iter();
            for (request, count) in group.iter_mut().zip(counts) {
                request.writes.extend(writes.by_ref().take(count));
            }
            // Without those who are to blame: one room, or all. So there are fewer each time.
            group.retain(|request| {
                let is_lost = culprit.as_ref().is_none_or(|culprit| {
                    request.writes.iter().any(|write| write.room() == Some(culprit))
                });
                if let Some((room, _)) = request.then.as_ref().filter(|_| is_lost) {
                    self.lost.insert(*room);
                    tell(*room, Answer::Lost(reason.clone()));
                }
                !is_lost
            });
        }
        answers
    }
}

/// Brings the shards what their rooms are to be told.
fn tell<F: RoomFactory>(shards: &[Arc<Mailbox<F>>], answers: Vec<(usize, (RoomKey, Answer))>) {
    let mut letters: Vec<Answers> = vec![Answers::new(); shards.len()];
    for (shard, answer) in answers {
        if let Some(letter) = letters.get_mut(shard) {
            letter.push(answer);
        }
    }
    for (shard, letter) in shards.iter().zip(letters) {
        if !letter.is_empty() {
            shard.send(Letter::Answers(letter));
        }
    }
}

/// What waits, as far as one commit takes it, and whether there will be no more.
fn gather(
    mut group: Vec<Request>,
    requests: &Receiver<Option<Vec<Request>>>,
) -> (Vec<Request>, bool) {
    let mut bytes: usize = group.iter().map(bytes_of).sum();
    while group.len() < REQUESTS_PER_COMMIT
        && bytes < BYTES_PER_COMMIT
        && let Ok(more) = requests.try_recv()
    {
        let Some(mut more) = more else { return (group, true) };
        bytes += more.iter().map(bytes_of).sum::<usize>();
        group.append(&mut more);
    }
    (group, false)
}

fn bytes_of(request: &Request) -> usize {
    let bytes = |write: &Write| match write {
        Write::Append { records, .. } => records.len(),
        Write::Snapshot { state, .. } => state.len(),
        Write::Quarantine { event, .. } => event.len(),
        Write::Module { bytes, .. } => bytes.len(),
        Write::Delete { .. } => 0,
    };
    request.writes.iter().map(bytes).sum()
}

/// The room whose writes alone were refused, where that is so.
fn culprit(error: &StoreError) -> Option<Arc<str>> {
    match error {
        StoreError::OutOfOrder { room, .. }
        | StoreError::EmptyAppend { room }
        | StoreError::Damaged { room, .. } => Some(room.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
