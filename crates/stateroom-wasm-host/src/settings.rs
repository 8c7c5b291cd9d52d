//! How wasmtime is set up for so many instances at once.

use crate::{bounds::MOST, config::HostConfig, features};
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};

/// Address space of one linear memory: all that 32 bits can name, so that compiled code needs no
/// bounds checks. With less, JSON costs 28 % more.
///
/// As it is there anyway, any room may use all of it as far as the pool goes: what one may have is
/// part of that room, and bounded in `bounds.rs`.
const RESERVED_BYTES: u64 = MOST.memory_bytes;

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

/// The settings of wasmtime, with a pool of so many slots.
pub(crate) fn of_wasmtime(config: &HostConfig, slots: u32) -> Config {
    let as_size = |most: u64| usize::try_from(most).unwrap_or(usize::MAX);
    let stack_bytes = config.limits.stack_bytes;

    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(slots)
        .total_memories(slots)
        .total_tables(slots)
        .max_memories_per_module(1)
        .max_tables_per_module(1)
        .max_memory_size(as_size(MOST.memory_bytes))
        .table_elements(as_size(MOST.table_elements))
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
        .max_wasm_stack(stack_bytes)
        // There is no stack but the thread's; wasmtime wants this to be as large all the same.
        .async_stack_size(stack_bytes)
        .concurrency_support(false)
        // What a room computes has to be the same everywhere; see also the list of features.
        .cranelift_nan_canonicalization(config.canonical_nans);
    features::allow(&mut wasmtime);
    wasmtime
}
