//! The thread that writes to the store: takes what rooms have to keep, commits it in groups, and tells
//! each room when its own is durable.
//!
//! While one group is on its way to the disk the next one gathers, so the busier a server is, the
//! more events share a commit.

use crate::{
    room::RoomFactory,
    shard::{Letter, Mailbox, RoomKey},
};
use stateroom_store::{Store, StoreError, Write};
use std::{
    collections::HashSet,
    io,
    sync::{
        Arc, Mutex, PoisonError,
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

/// The way to the thread.
#[derive(Debug)]
pub(crate) struct Keeper {
    /// A request, or the word that there are no more.
    requests: Sender<Option<Request>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    broken: Arc<AtomicBool>,
}

impl Keeper {
    pub(crate) fn start<F: RoomFactory>(
        store: Box<dyn Store>,
        shards: Arc<[Arc<Mailbox<F>>]>,
    ) -> io::Result<Self> {
        let (requests, receiver) = channel();
        let broken = Arc::new(AtomicBool::new(false));
        let (lost, ordered) = (HashSet::new(), Instant::now());
        let mut desk = Desk { store, shards, lost, broken: broken.clone(), ordered };
        let thread = thread::Builder::new().name("keeper".to_owned()).spawn(move || {
            desk.run(&receiver);
        })?;
        Ok(Keeper { requests, thread: Mutex::new(Some(thread)), broken })
    }

    /// Has something kept. After [`Keeper::finish`] nobody is told what became of it.
    pub(crate) fn request(&self, request: Request) {
        // The thread only ends after the last request.
        let _ = self.requests.send(Some(request));
    }

    /// Whether nothing can be kept any more: the disk has failed.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Relaxed)
    }

    /// Takes no more requests, and waits until all there were are done.
    pub(crate) fn finish(&self) {
        let _ = self.requests.send(None);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the server has a bug: the thread that keeps its rooms panicked");
        }
    }
}

/// The thread's own.
struct Desk<F: RoomFactory> {
    store: Box<dyn Store>,
    shards: Arc<[Arc<Mailbox<F>>]>,
    /// Rooms that were told that something of theirs is lost. What they may still have on its way
    /// follows from that, so it is lost too.
    lost: HashSet<Address>,
    broken: Arc<AtomicBool>,
    /// When the store was last put in order.
    ordered: Instant,
}

impl<F: RoomFactory> Desk<F> {
    fn run(&mut self, requests: &Receiver<Option<Request>>) {
        let mut orderly = false;
        loop {
            let first = if orderly {
                requests.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                requests.recv_timeout(QUIET)
            };
            match first {
                Ok(Some(first)) => {
                    let (group, is_last) = gather(first, requests);
                    self.commit(group);
                    if is_last {
                        return;
                    }
                    orderly = false;
                    if self.ordered.elapsed() >= LONGEST_WITHOUT_ORDER {
                        self.put_in_order();
                    }
                }
                Err(RecvTimeoutError::Timeout) => orderly = !self.put_in_order(),
                Ok(None) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Tells whether there is more to do.
    fn put_in_order(&mut self) -> bool {
        self.ordered = Instant::now();
        self.store.maintain().unwrap_or_else(|error| {
            tracing::warn!(%error, "the store could not be put in order");
            false
        })
    }

    fn commit(&mut self, mut group: Vec<Request>) {
        group.retain(|request| {
            request.then.as_ref().is_none_or(|(from, _)| !self.lost.contains(from))
        });
        let mut answers: Vec<Vec<(RoomKey, Answer)>> = vec![Vec::new(); self.shards.len()];
        while !group.is_empty() {
            let counts: Vec<usize> = group.iter().map(|request| request.writes.len()).collect();
            let mut writes = Vec::with_capacity(group.len());
            group.iter_mut().for_each(|request| writes.append(&mut request.writes));
            let Err(error) = self.store.commit(&writes) else {
                group.into_iter().filter_map(|request| request.then).for_each(|(room, answer)| {
                    tell(&mut answers, room, answer);
                });
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
                    tell(&mut answers, *room, Answer::Lost(reason.clone()));
                }
                !is_lost
            });
        }
        for (shard, answers) in self.shards.iter().zip(answers) {
            if !answers.is_empty() {
                shard.send(Letter::Answers(answers));
            }
        }
    }
}

/// What waits, as far as one commit takes it, and whether there will be no more.
fn gather(first: Request, requests: &Receiver<Option<Request>>) -> (Vec<Request>, bool) {
    let mut bytes = bytes_of(&first);
    let mut group = vec![first];
    while group.len() < REQUESTS_PER_COMMIT
        && bytes < BYTES_PER_COMMIT
        && let Ok(request) = requests.try_recv()
    {
        let Some(request) = request else { return (group, true) };
        bytes += bytes_of(&request);
        group.push(request);
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

fn tell(answers: &mut [Vec<(RoomKey, Answer)>], to: Address, answer: Answer) {
    if let Some(answers) = answers.get_mut(to.shard) {
        answers.push((to.room, answer));
    }
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
