//! The way from rooms to the store: brings rooms back from it, with the code that they run.

use super::{
    code::{Code, Codes},
    committing::Listener,
    keeper::Keeper,
};
use crate::{
    busy::lend_thread,
    clock::Clock,
    counters,
    factory::RoomFactory,
    health::ThreadGuard,
    keeping::{Keeping, LoadCode, Survives},
    lock::lock,
};
use stateroom::{Birth, CodeVersion, MemoryLimits};
use stateroom_room::{KeptRoom, ReturnFailure, Room, session::SessionSettings};
use stateroom_store::{Durability, ModuleHash, Reader, StoreError, StoredRoom, Vitals, Write};
use std::{
    io::{self, ErrorKind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// When hearing a journal again has taken this long, the other rooms of the shard go on elsewhere.
const BUSY_AFTER: Duration = Duration::from_millis(2);

/// How many states of before are kept beside a room.
const MOST_BESIDE: u32 = 9;

/// Everything that rooms which are kept have in common.
pub(crate) struct Archive<F: RoomFactory> {
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) survives: Survives,
    pub(crate) starts_anew: bool,
    clock: Clock,
    /// When those are given up who were in a room before the server started.
    absent_until: Instant,
    has_lost_rooms: AtomicBool,
    /// Those that nobody reads with just now; `None` once the archive is closed.
    readers: Mutex<Option<Vec<Box<dyn Reader>>>>,
    codes: Codes<F>,
    load_code: LoadCode<F>,
}

/// Why a room is not there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenFailure {
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("the room was made by code that is not kept any more: {0}")]
    NoCode(CodeVersion),
    #[error("the code that the room was made by, {version}, can't be loaded: {reason}")]
    BadCode { version: CodeVersion, reason: String },
    #[error("it is not in the store any more")]
    Gone,
    #[error("{0}")]
    Return(String),
    #[error("{0}")]
    Start(String),
}

impl<F: RoomFactory> Archive<F> {
    /// # Errors
    /// When the store can't be read, or there are no threads.
    pub(crate) fn new(
        keeping: Keeping<F>,
        clock: Clock,
        absent_until: Instant,
        shards: usize,
        listener: Arc<dyn Listener>,
        guard: ThreadGuard,
    ) -> io::Result<Self> {
        let Keeping { store, survives, load_code, starts_anew } = keeping;
        let at_once = survives.durability() == Durability::Buffered;
        let readers = (0..shards.max(1)).map(|_| store.reader()).collect::<Result<Vec<_>, _>>();
        Ok(Archive {
            readers: Mutex::new(Some(readers.map_err(io::Error::other)?)),
            keeper: Arc::new(Keeper::start(store, at_once, shards, listener, guard)?),
            survives,
            starts_anew,
            clock,
            absent_until,
            has_lost_rooms: AtomicBool::new(false),
            codes: Codes::new(),
            load_code,
        })
    }

    /// Keeps the code of a factory, which rooms are going to run.
    ///
    /// # Errors
    /// Why its rooms can't be kept: [`ErrorKind::StorageFull`] where the disk does not take it now.
    pub(crate) fn keep_code(&self, factory: Arc<F>) -> io::Result<Code<F>> {
        let version = factory.version().map_err(io::Error::other)?;
        let bytes = factory.code().ok_or_else(|| io::Error::other("its code can't be kept"))?;
        let writes = vec![Write::Module { hash: ModuleHash(version.0), bytes: bytes.to_vec() }];
        // Before any room can have a state that only this code can read.
        let kept = self.keeper.keep_now(writes);
        kept.map_err(|reason| {
            io::Error::new(ErrorKind::StorageFull, format!("its code can't be kept: {reason}"))
        })?;
        let code = Code { factory, version };
        self.codes.remember(&code);
        Ok(code)
    }

    /// The rooms that have something to do, or had clients.
    pub(crate) fn needing_attention(&self) -> Result<Vec<(Arc<str>, Vitals)>, StoreError> {
        self.read(|reader| reader.needing_attention())
    }

    /// Rooms that nobody has visited since `before`, in nanoseconds since 1970, and that have no timer.
    pub(crate) fn forgettable(
        &self,
        before: u64,
        most: usize,
    ) -> Result<Vec<Arc<str>>, StoreError> {
        self.read(|reader| reader.forgettable(before, most))
    }

    /// Whether everything that a room hears is kept, rather than its state alone.
    pub(crate) fn records_events(&self) -> bool {
        self.survives != Survives::Nothing
    }

    /// Says that the server ends without having saved a room, and what that means for it.
    pub(crate) fn tell_of_unsaved(&self, room: &str, reason: &str) {
        match self.records_events() {
            true => tracing::warn!(
                room,
                reason,
                "the room ends, and its state is not saved; it comes back from what it has heard"
            ),
            false => {
                self.has_lost_rooms.store(true, Relaxed);
                tracing::error!(
                    room,
                    reason,
                    "the room ends, and its state is not saved, and is lost"
                );
            }
        }
    }

    /// The room `id`, as it was after its last durable event, or a new one of the code `newest`.
    pub(crate) fn open(
        &self,
        id: &str,
        newest: &Code<F>,
        sessions: SessionSettings,
        now: Instant,
    ) -> Result<(KeptRoom<F::Service>, Code<F>), OpenFailure> {
        let Some(stored) = self.read(|reader| reader.load(id))? else {
            let birth = birth(self.clock, now, newest.factory.limits());
            let room = KeptRoom::found(&*newest.factory, id, &birth, self.records_events())
                .map_err(|failure| OpenFailure::Start(failure.to_string()))?;
            return Ok((room, newest.clone()));
        };
        let version = CodeVersion(stored.snapshot.module.0);
        let code = match version == newest.version {
            true => newest.clone(),
            false => self.code(version)?,
        };
        let began = Instant::now();
        let room = bring_back(id, &stored, &code)?;
        let journal_bytes = stored.tail.iter().map(|part| part.records.len()).sum();
        let mut room = KeptRoom::open(
            room,
            (stored.snapshot.at, journal_bytes),
            self.records_events(),
            sessions,
            self.clock.timestamp(now),
            self.clock.timestamp(self.absent_until),
        );
        room.computed(began.elapsed());
        count_replay(&stored, began);
        Ok((room, code))
    }

    /// The room `id` once more, as it was after its last durable event, with the code it runs, and how long
    /// it took to live its journal again.
    pub(crate) fn bring_back(
        &self,
        id: &str,
        code: &Code<F>,
    ) -> Result<(Room<F::Service>, Duration), OpenFailure> {
        let stored = self.read(|reader| reader.load(id))?.ok_or(OpenFailure::Gone)?;
        let began = Instant::now();
        let room = bring_back(id, &stored, code)?;
        count_replay(&stored, began);
        Ok((room, began.elapsed()))
    }

    /// A name beside that of the room `id`, for what it was before it starts anew: one that no room has, or
    /// else that of the oldest.
    pub(crate) fn name_beside(&self, id: &str) -> Result<Arc<str>, StoreError> {
        let mut oldest: Option<(u64, Arc<str>)> = None;
        for number in 1..=MOST_BESIDE {
            let name: Arc<str> = format!("{id}~{number}").into();
            let Some(room) = self.read(|reader| reader.summary(&name))? else { return Ok(name) };
            let heard_at = room.vitals.heard_at;
            if oldest.as_ref().is_none_or(|(before, _)| heard_at < *before) {
                oldest = Some((heard_at, name));
            }
        }
        Ok(oldest.map_or_else(|| format!("{id}~1").into(), |(_, name)| name))
    }

    /// The code of a version that was kept.
    fn code(&self, version: CodeVersion) -> Result<Code<F>, OpenFailure> {
        if let Some(code) = self.codes.find(version) {
            return Ok(code);
        }
        let bytes = self
            .read(|reader| reader.module(&ModuleHash(version.0)))?
            .ok_or(OpenFailure::NoCode(version))?;
        let factory =
            (self.load_code)(&bytes).map_err(|reason| OpenFailure::BadCode { version, reason })?;
        let code = Code { factory: Arc::new(factory), version };
        self.codes.remember(&code);
        Ok(code)
    }

    /// Waits until all that was to be kept is, and closes the store. Nothing can be read from then on.
    pub(crate) fn close(&self) {
        lock(&self.readers).take();
        for (room, reason) in self.keeper.finish() {
            self.tell_of_unsaved(&room, &reason);
        }
    }

    /// Whether rooms were lost since they could not be saved when the server ended.
    pub(crate) fn has_lost_rooms(&self) -> bool {
        self.has_lost_rooms.load(Relaxed)
    }

    /// Reads with a reader that nobody else uses meanwhile.
    fn read<T>(
        &self,
        read: impl FnOnce(&mut dyn Reader) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        loop {
            let idle = match &mut *lock(&self.readers) {
                Some(readers) => readers.pop(),
                None => return Err(StoreError::Closed { reason: "the server ends".into() }),
            };
            if let Some(mut reader) = idle {
                let result = read(&mut *reader);
                if let Some(readers) = &mut *lock(&self.readers) {
                    readers.push(reader);
                }
                return result;
            }
            // There are as many as threads that have rooms, so this is rare and short.
            std::thread::yield_now();
        }
    }
}

/// Counts a room that was brought back since `began`.
fn count_replay(stored: &StoredRoom, began: Instant) {
    counters::add(|counters| {
        counters.replays += 1;
        counters.replayed_events += stored.events().saturating_sub(stored.snapshot.at);
        counters.replay_nanoseconds += began.elapsed().as_nanos() as u64;
    });
}

/// The room `id` with all that is kept of it.
fn bring_back<F: RoomFactory>(
    id: &str,
    stored: &StoredRoom,
    code: &Code<F>,
) -> Result<Room<F::Service>, OpenFailure> {
    let StoredRoom { snapshot, tail, .. } = stored;
    let journal = tail.iter().map(|part| (part.follows, part.records.as_slice()));
    let began = Instant::now();
    let go_on_elsewhere = || {
        if began.elapsed() >= BUSY_AFTER {
            lend_thread();
        }
    };
    Room::bring_back(&*code.factory, id, (snapshot.at, &snapshot.state), journal, go_on_elsewhere)
        .map_err(|failure: ReturnFailure<F::Error>| OpenFailure::Return(failure.to_string()))
}

/// What a service is born with now.
pub(crate) fn birth(clock: Clock, now: Instant, limits: MemoryLimits) -> Birth {
    let time = clock.timestamp(now).since_origin();
    let mut seed = [0; 32];
    if let Err(error) = getrandom::fill(&mut seed) {
        tracing::error!(%error, "the system gives no randomness; a room starts with little of it");
        seed[..16].copy_from_slice(&time.as_nanos().to_le_bytes());
    }
    Birth { time, seed, limits }
}
