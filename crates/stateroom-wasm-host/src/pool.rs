//! How many rooms the engine has slots for: as many as wanted, or as this machine gives address space
//! for. Each takes 4 GiB of it, of which memory is only what the room uses.

use crate::{config::HostConfig, error::EngineError, settings};
use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};
use wasmtime::Engine;

/// Rooms that are awake at once where nobody says how many: the 4,000 of a server that was not told
/// otherwise, and some whose event goes on beside the others.
const USUAL_ROOMS: u32 = 4_128;

/// Rooms that are awake at once at most: 62.5 TiB of the 128 TiB of address space that x86-64 has.
const MOST_ROOMS: u32 = 16_000;

/// Memory mappings of one room that is awake, as measured.
const MAPPINGS_PER_ROOM: u32 = 4;

/// Mappings left to everything else: libraries, thread stacks, the allocator.
const MAPPINGS_RESERVED: u32 = 4_096;

/// `vm.max_map_count` of a Linux that was not told otherwise.
const USUAL_MAP_COUNT: u32 = 65_530;

/// Slots beyond the rooms: one, for the trial of a module that is being loaded.
const TRIAL_SLOTS: u32 = 1;

/// Bytes of address space that are left to the rest of the process: code, stacks, the heap.
const LEFT_BYTES: usize = 256 << 20;

/// Makes the engine, for as many rooms as it tells: half as many, and again half, where the system
/// gives less address space.
pub(crate) fn engine(config: &HostConfig) -> Result<(Engine, u32), EngineError> {
    let wanted = wanted_rooms(config.max_rooms);
    let mut rooms = wanted;
    loop {
        let made = Engine::new(&settings::of_wasmtime(config, rooms + TRIAL_SLOTS));
        match made {
            Ok(engine) if rooms == 1 || has_space_left() => {
                if rooms < wanted {
                    tracing::warn!(
                        wanted,
                        rooms,
                        "fewer rooms can be awake at once than wanted, since each takes 4 GiB of \
                         address space and the system gives less: lift the limit (`ulimit -v`)"
                    );
                }
                return Ok((engine, rooms));
            }
            Err(error) if rooms == 1 => {
                return Err(EngineError::Pool { reason: format!("{error:#}") });
            }
            Ok(_) | Err(_) => rooms /= 2,
        }
    }
}

/// How many rooms are wanted, and can be as far as mappings go.
fn wanted_rooms(wanted: Option<u32>) -> u32 {
    let mappings = std::fs::read_to_string("/proc/sys/vm/max_map_count")
        .ok()
        .and_then(|count| count.trim().parse().ok())
        .unwrap_or(USUAL_MAP_COUNT);
    let possible =
        (mappings.saturating_sub(MAPPINGS_RESERVED) / MAPPINGS_PER_ROOM).clamp(1, MOST_ROOMS);
    let Some(wanted) = wanted else { return possible.min(USUAL_ROOMS) };
    if wanted > possible {
        tracing::warn!(
            wanted,
            possible,
            "fewer rooms can be awake at once than wanted: raise vm.max_map_count with sysctl for up to {MOST_ROOMS}"
        );
    }
    wanted.clamp(1, possible)
}

/// Whether the pool has left the process something to live on.
fn has_space_left() -> bool {
    let mut space: Vec<u8> = Vec::new();
    let left = space.try_reserve_exact(LEFT_BYTES).is_ok();
    black_box(&space);
    left
}

/// Counts the rooms that are awake, and knows how many may be.
pub(crate) struct RoomCount {
    live: AtomicU32,
    max: u32,
}

impl RoomCount {
    pub(crate) fn up_to(max: u32) -> RoomCount {
        RoomCount { live: AtomicU32::new(0), max }
    }

    pub(crate) fn live(&self) -> u32 {
        self.live.load(Relaxed)
    }

    pub(crate) fn max(&self) -> u32 {
        self.max
    }

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
