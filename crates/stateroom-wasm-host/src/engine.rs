//! What all rooms share: the compiler, the pool that instances live in, and the ticker.

use crate::{
    config::{HostConfig, Limits},
    error::EngineError,
    host_state::{HostState, RoomContext},
    imports,
    page_map::PageMap,
    pool::{self, RoomCount},
    source::Source,
    ticker::Ticker,
    wasi,
};
use stateroom::MemoryLimits;
use std::sync::{Arc, Mutex};
use wasmtime::{Engine, Linker};

/// Runs the rooms of any number of modules. Cloning it gives another handle to the same engine.
#[derive(Clone)]
pub struct WasmEngine {
    pub(crate) inner: Arc<EngineInner>,
}

pub(crate) struct EngineInner {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<HostState>,
    pub(crate) config: Arc<HostConfig>,
    pub(crate) ticker: Arc<Ticker>,
    pub(crate) rooms: Arc<RoomCount>,
    pub(crate) page_map: PageMap,
    /// Held while the one spare slot is in use.
    pub(crate) trial: Mutex<()>,
}

impl WasmEngine {
    /// Sets up the pool and starts the ticker. Each engine reserves the address space of all its
    /// rooms, so a process has one, or gives each a [`HostConfig::max_rooms`]. Where the system gives
    /// less, there are fewer rooms, and a line in the log: see [`WasmEngine::max_rooms`].
    ///
    /// # Errors
    /// When `stack_bytes` is nothing or more than 256 MiB, the system has not the address space for
    /// even one room, or no thread can be started.
    pub fn new(config: HostConfig) -> Result<WasmEngine, EngineError> {
        check_stack(config.limits.stack_bytes)?;
        let (engine, max_rooms) = pool::engine(&config)?;
        let mut linker = Linker::new(&engine);
        let defined = imports::define(&mut linker).and_then(|()| wasi::define(&mut linker));
        defined.map_err(|error| EngineError::Settings { problem: format!("{error:#}") })?;
        let ticking = engine.clone();
        let ticker =
            Ticker::start(move || ticking.increment_epoch()).map_err(EngineError::Ticker)?;
        Ok(WasmEngine {
            inner: Arc::new(EngineInner {
                engine,
                linker,
                config: Arc::new(config),
                ticker: Arc::new(ticker),
                rooms: Arc::new(RoomCount::up_to(max_rooms)),
                page_map: PageMap::open(),
                trial: Mutex::new(()),
            }),
        })
    }

    /// How many rooms may be awake at once.
    #[must_use]
    pub fn max_rooms(&self) -> u32 {
        self.inner.rooms.max()
    }

    /// How many rooms are awake now.
    #[must_use]
    pub fn live_rooms(&self) -> u32 {
        self.inner.rooms.live()
    }

    /// How many bytes of stack a thread must have to call rooms: see [`Limits::thread_stack_bytes`].
    #[must_use]
    pub fn thread_stack_bytes(&self) -> usize {
        self.inner.config.limits.thread_stack_bytes()
    }

    /// What the host keeps for a room of this engine.
    pub(crate) fn host_state(
        &self,
        room_id: &str,
        context: Box<dyn RoomContext>,
        source: Source,
        limits: MemoryLimits,
    ) -> HostState {
        let EngineInner { config, ticker, .. } = &*self.inner;
        HostState::new(room_id, context, source, limits, config.clone(), ticker.clone())
    }
}

fn check_stack(bytes: usize) -> Result<(), EngineError> {
    let problem = match bytes {
        0 => "`stack_bytes` is 0, and no function runs without a stack".to_owned(),
        1..=Limits::MOST_STACK_BYTES => return Ok(()),
        _ => format!(
            "`stack_bytes` is {bytes}, and each thread that runs rooms would need a stack of that \
             size: {} are the most there can be",
            Limits::MOST_STACK_BYTES
        ),
    };
    Err(EngineError::Settings { problem })
}
