//! What all rooms share: the compiler, the pool that instances live in, and the ticker.

use crate::{
    config::HostConfig, error::EngineError, host_state::HostState, imports, page_map::PageMap,
    ticker::Ticker, wasi,
};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering::Relaxed},
};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, Linker, PoolingAllocationConfig,
};

/// Address space of one linear memory: all that 32 bits can name, so that compiled code needs no
/// bounds checks. With less, JSON costs 28 % more.
const RESERVED_BYTES: u64 = 4 << 30;

/// Past the reservation, so that small constant offsets need no check either.
const GUARD_BYTES: u64 = 64 << 10;

/// What a freed slot of the pool keeps of the memory that was written to, for the next room there:
/// enough for the four or five pages of a small room, which then starts in 8 µs rather than 23. A
/// slot keeps it for good, so this is also what every slot that was ever used may hold: after 4,000
/// chats have gone to sleep it is 20 KiB each, of 32 at most. What is beyond, as in a room that grew,
/// goes back to the machine when the room sleeps.
///
/// Where the kernel has no PAGEMAP_SCAN, it is the first so many bytes, written to or not. That
/// starts no room faster, and is another reason to keep little: with 256 KiB, 4,000 slots hold 1 GiB.
const KEEP_RESIDENT_BYTES: usize = 32 << 10;

/// The same for the table, of which a room uses a page or two.
const KEEP_TABLE_BYTES: usize = 8 << 10;

/// Rooms that are awake at once at most: 62.5 TiB of the 128 TiB of address space that x86-64 has.
const MOST_ROOMS: u32 = 16_000;

/// Memory mappings of one room that is awake, as measured.
const MAPPINGS_PER_ROOM: u32 = 4;

/// Mappings left to everything else: libraries, thread stacks, the allocator.
const MAPPINGS_RESERVED: u32 = 4_096;

/// `vm.max_map_count` of a Linux that was not told otherwise.
const USUAL_MAP_COUNT: u32 = 65_530;

/// Slots of the pool beyond the rooms: one, for the trial of a module that is being loaded.
const TRIAL_SLOTS: u32 = 1;

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
    /// rooms, so a process has one, or gives each a [`HostConfig::max_rooms`].
    ///
    /// # Errors
    /// When a limit leaves no room to run in, the machine has not the address space, or no thread
    /// can be started.
    pub fn new(mut config: HostConfig) -> Result<WasmEngine, EngineError> {
        if config.limits.stack_bytes == 0 {
            let problem = "`stack_bytes` is 0, and no function runs without a stack".into();
            return Err(EngineError::Settings { problem });
        }
        let page = 64 << 10;
        let most_memory = usize::try_from(RESERVED_BYTES).unwrap_or(usize::MAX);
        config.limits.memory_bytes = config.limits.memory_bytes.min(most_memory) / page * page;
        let max_rooms = max_rooms(config.max_rooms);
        let pool_error =
            |error: wasmtime::Error| EngineError::Pool { max_rooms, reason: format!("{error:#}") };

        let engine = Engine::new(&wasmtime_config(&config, max_rooms)).map_err(pool_error)?;
        let mut linker = Linker::new(&engine);
        imports::define(&mut linker).map_err(pool_error)?;
        wasi::define(&mut linker).map_err(pool_error)?;
        let ticking = engine.clone();
        let ticker =
            Ticker::start(move || ticking.increment_epoch()).map_err(EngineError::Ticker)?;
        Ok(WasmEngine {
            inner: Arc::new(EngineInner {
                engine,
                linker,
                config: Arc::new(config),
                ticker: Arc::new(ticker),
                rooms: Arc::new(RoomCount { live: AtomicU32::new(0), max: max_rooms }),
                page_map: PageMap::open(),
                trial: Mutex::new(()),
            }),
        })
    }

    /// How many rooms may be awake at once.
    #[must_use]
    pub fn max_rooms(&self) -> u32 {
        self.inner.rooms.max
    }

    /// How many rooms are awake now.
    #[must_use]
    pub fn live_rooms(&self) -> u32 {
        self.inner.rooms.live.load(Relaxed)
    }
}

fn wasmtime_config(config: &HostConfig, max_rooms: u32) -> Config {
    let limits = &config.limits;
    let slots = max_rooms.saturating_add(TRIAL_SLOTS);

    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(slots)
        .total_memories(slots)
        .total_tables(slots)
        .max_memories_per_module(1)
        .max_tables_per_module(1)
        .max_memory_size(limits.memory_bytes)
        .table_elements(limits.table_elements)
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(KEEP_TABLE_BYTES)
        // Neither fewer unused slots nor decommitting in batches has given anything back or made
        // anything faster (`benches/pool.rs`), so both stay as wasmtime has them.
        .pagemap_scan(Enabled::Auto);

    let mut wasmtime = Config::new();
    wasmtime
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .memory_reservation(RESERVED_BYTES)
        .memory_guard_size(GUARD_BYTES)
        .guard_before_linear_memory(false)
        .memory_init_cow(true)
        .epoch_interruption(true)
        .max_wasm_stack(limits.stack_bytes)
        .concurrency_support(false)
        // What a room computes has to be the same everywhere. Threads, which would spoil that, are
        // not compiled in, and `check` refuses a shared memory.
        .cranelift_nan_canonicalization(config.canonical_nans)
        .wasm_relaxed_simd(false)
        .wasm_memory64(false)
        .wasm_multi_memory(false);
    wasmtime
}

/// How many rooms this machine can hold, or `wanted` if that is fewer.
fn max_rooms(wanted: Option<u32>) -> u32 {
    let mappings = std::fs::read_to_string("/proc/sys/vm/max_map_count")
        .ok()
        .and_then(|count| count.trim().parse().ok())
        .unwrap_or(USUAL_MAP_COUNT);
    let possible =
        (mappings.saturating_sub(MAPPINGS_RESERVED) / MAPPINGS_PER_ROOM).clamp(1, MOST_ROOMS);
    let Some(wanted) = wanted else { return possible };
    if wanted > possible {
        tracing::warn!(
            wanted,
            possible,
            "fewer rooms can live at once than wanted: raise vm.max_map_count with sysctl for up to {MOST_ROOMS}"
        );
    }
    wanted.min(possible)
}

/// Counts the rooms that are awake, and knows how many may be.
pub(crate) struct RoomCount {
    live: AtomicU32,
    max: u32,
}

impl RoomCount {
    /// Takes a place for one more room, or `None` when all are taken.
    pub(crate) fn take(self: &Arc<Self>) -> Option<RoomPlace> {
        self.live
            .fetch_update(Relaxed, Relaxed, |live| (live < self.max).then_some(live + 1))
            .ok()
            .map(|_| RoomPlace(Arc::clone(self)))
    }
}

/// The place of one room that is awake, given back when it is dropped.
pub(crate) struct RoomPlace(Arc<RoomCount>);

impl Drop for RoomPlace {
    fn drop(&mut self) {
        self.0.live.fetch_sub(1, Relaxed);
    }
}
