//! The way from rooms to the store: brings rooms back from it, with the code that they run.

use crate::{
    Keeping, RoomFactory, Survives,
    busy::lend_thread,
    clock::Clock,
    keeper::{Keeper, Request},
    keeping::LoadCode,
    lock::lock,
    shard::Mailbox,
};
use stateroom::{Birth, CodeVersion, MemoryLimits};
use stateroom_room::{ReturnFailure, Room};
use stateroom_store::{Durability, ModuleHash, Reader, StoreError, StoredRoom, Vitals, Write};
use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// When hearing a journal again has taken this long, the other rooms of the shard go on elsewhere.
const BUSY_AFTER: Duration = Duration::from_millis(2);

/// Everything that rooms which are kept have in common.
pub(crate) struct Archive<F: RoomFactory> {
    pub(crate) keeper: Arc<Keeper<F>>,
    pub(crate) survives: Survives,
    pub(crate) starts_anew: bool,
    clock: Clock,
    /// Those that nobody reads with just now; `None` once the archive is closed.
    readers: Mutex<Option<Vec<Box<dyn Reader>>>>,
    codes: Mutex<HashMap<CodeVersion, Arc<F>>>,
    load_code: LoadCode<F>,
}

/// Code that can be kept.
pub(crate) struct Code<F> {
    pub(crate) factory: Arc<F>,
    pub(crate) version: CodeVersion,
}

impl<F> Clone for Code<F> {
    fn clone(&self) -> Self {
        Code { factory: self.factory.clone(), version: self.version }
    }
}

/// A room that is there again.
pub(crate) struct Opened<F: RoomFactory> {
    pub(crate) room: Room<F::Service>,
    pub(crate) code: Code<F>,
    /// After how many events the store has its state; `None` if it does not know the room.
    pub(crate) saved: Option<u64>,
    /// How many bytes of journal come after that.
    pub(crate) journal_bytes: usize,
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
        readers: usize,
        shards: Arc<[Arc<Mailbox<F>>]>,
    ) -> io::Result<Self> {
        let Keeping { store, survives, load_code, starts_anew } = keeping;
        let at_once = survives.durability() == Durability::Buffered;
        let readers = (0..readers.max(1)).map(|_| store.reader()).collect::<Result<Vec<_>, _>>();
        Ok(Archive {
            readers: Mutex::new(Some(readers.map_err(io::Error::other)?)),
            keeper: Arc::new(Keeper::start(store, at_once, shards)?),
            survives,
            starts_anew,
            clock,
            codes: Mutex::new(HashMap::new()),
            load_code,
        })
    }

    /// Keeps the code of a factory, which rooms are going to run.
    ///
    /// # Errors
    /// Why its rooms can't be kept.
    pub(crate) fn keep_code(&self, factory: Arc<F>) -> Result<Code<F>, String> {
        let version = factory.version()?;
        let bytes = factory.code().ok_or("its code can't be kept")?;
        let writes = vec![Write::Module { hash: ModuleHash(version.0), bytes: bytes.to_vec() }];
        self.keeper.request(Request { writes, then: None });
        lock(&self.codes).insert(version, factory.clone());
        Ok(Code { factory, version })
    }

    /// The rooms that have something to do, or had clients.
    pub(crate) fn needing_attention(&self) -> Result<Vec<(Arc<str>, Vitals)>, StoreError> {
        self.read(|reader| reader.needing_attention())
    }

    /// The room `id`, as it was after its last durable event, or a new one of the code `newest`.
    pub(crate) fn open(
        &self,
        id: &str,
        newest: &Code<F>,
        now: Instant,
    ) -> Result<Opened<F>, OpenFailure> {
        match self.read(|reader| reader.load(id))? {
            Some(stored) => self.revive(id, &stored, newest),
            None => {
                let room = Room::found(&*newest.factory, id, &birth(self.clock, now))
                    .map_err(|failure| OpenFailure::Start(failure.to_string()))?;
                let room = self.kept(room);
                Ok(Opened { room, code: newest.clone(), saved: None, journal_bytes: 0 })
            }
        }
    }

    /// The room `id` once more, as it was after its last durable event, with the code it runs.
    pub(crate) fn bring_back(
        &self,
        id: &str,
        code: &Code<F>,
    ) -> Result<Room<F::Service>, OpenFailure> {
        let stored = self.read(|reader| reader.load(id))?.ok_or(OpenFailure::Gone)?;
        Ok(self.revive(id, &stored, code)?.room)
    }

    fn revive(
        &self,
        id: &str,
        stored: &StoredRoom,
        newest: &Code<F>,
    ) -> Result<Opened<F>, OpenFailure> {
        let snapshot = &stored.snapshot;
        let version = CodeVersion(snapshot.module.0);
        let code = match version == newest.version {
            true => newest.clone(),
            false => Code { factory: self.code(version)?, version },
        };
        let failed = |failure: ReturnFailure<F::Error>| OpenFailure::Return(failure.to_string());
        let mut room =
            Room::restore(&*code.factory, id, snapshot.at, &snapshot.state).map_err(failed)?;
        let start = Instant::now();
        for part in &stored.tail {
            if start.elapsed() >= BUSY_AFTER {
                lend_thread();
            }
            room.replay(part.follows, &part.records).map_err(failed)?;
        }
        let journal_bytes = stored.tail.iter().map(|part| part.records.len()).sum();
        Ok(Opened { room: self.kept(room), code, saved: Some(snapshot.at), journal_bytes })
    }

    /// A room that keeps records as far as they are kept.
    fn kept(&self, mut room: Room<F::Service>) -> Room<F::Service> {
        if self.survives == Survives::Nothing {
            room.keep_no_records();
        }
        room
    }

    /// The code of a version that was kept.
    fn code(&self, version: CodeVersion) -> Result<Arc<F>, OpenFailure> {
        if let Some(factory) = lock(&self.codes).get(&version) {
            return Ok(factory.clone());
        }
        let bytes = self
            .read(|reader| reader.module(&ModuleHash(version.0)))?
            .ok_or(OpenFailure::NoCode(version))?;
        let factory =
            (self.load_code)(&bytes).map_err(|reason| OpenFailure::BadCode { version, reason })?;
        let factory = Arc::new(factory);
        lock(&self.codes).insert(version, factory.clone());
        Ok(factory)
    }

    /// Waits until all that was to be kept is, and closes the store. Nothing can be read from then on.
    pub(crate) fn close(&self) {
        // Before the store itself, which can only be put in order by the last who has it open.
        lock(&self.readers).take();
        self.keeper.finish();
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

/// What a service is born with now.
pub(crate) fn birth(clock: Clock, now: Instant) -> Birth {
    let time = clock.timestamp(now).since_origin();
    let mut seed = [0; 32];
    if let Err(error) = getrandom::fill(&mut seed) {
        tracing::error!(%error, "the system gives no randomness; a room starts with little of it");
        seed[..16].copy_from_slice(&time.as_nanos().to_le_bytes());
    }
    Birth { time, seed, limits: MemoryLimits::NONE }
}
