//! What a host may be told: the bounds of one room, and how many rooms there may be.

use std::{path::PathBuf, sync::Arc, time::Duration};

/// How a [`WasmEngine`](crate::WasmEngine) runs its rooms.
#[derive(Clone)]
pub struct HostConfig {
    /// What one room may use.
    pub limits: Limits,

    /// How many rooms may be awake at once, at most 16,000; `None` is 4,128: the 4,000 of a server
    /// that was not told otherwise, and some whose event goes on beside the others. A tool that looks
    /// at one room asks for 1. Rooms that sleep don't count, so there may be a hundred times as many.
    ///
    /// Each room that is awake takes four memory mappings, of which Linux grants a process
    /// `vm.max_map_count`, and 4 GiB of address space (not of memory). Where the system gives less,
    /// there are as many as it has space for, at least one: see
    /// [`WasmEngine::max_rooms`](crate::WasmEngine::max_rooms).
    pub max_rooms: Option<u32>,

    /// How much CPU time an event may take that a room hears again; `None`, the default, is any. It
    /// has passed once, under the limits of that time, so that a room which is refused it now could
    /// not be brought back. A switch for an operator who would rather do without the room.
    pub replay_cpu_time: Option<Duration>,

    /// Whether the log has what a room prints as it hears events again, to be brought back. Off by default: it
    /// has been there before. A tool that looks at what a room did turns it on.
    pub prints_replays: bool,

    /// Called on the room's own thread each tick (2 ms) that one event goes on past
    /// [`HostConfig::busy_after`]. A server uses it to let another thread run the other rooms that
    /// wait for this one. It must not block, and must not panic.
    pub on_busy: Option<Arc<dyn Fn() + Send + Sync>>,

    /// How much CPU time one event may take before [`HostConfig::on_busy`] is called. It is checked
    /// at ticks of 2 ms.
    pub busy_after: Duration,

    /// What guests may ask for by [`config`](stateroom::StateroomContext::config), as a JSON object; `None`, the
    /// default, is nothing. A room has a copy of it on the disk.
    pub config: Option<Arc<str>>,

    /// Whether every NaN that a guest computes has the same bits, so that a room which lives its
    /// life again, perhaps on another kind of processor, ends with the same memory. Rooms that are
    /// brought back from their events need it; others don't. On by default: it
    /// costs next to nothing but in a service that does little besides computing with floats, which
    /// takes up to three times as long (`benches/host.rs`).
    pub canonical_nans: bool,

    /// Whether [`WasmEngine::load`](crate::WasmEngine::load) accepts modules made by
    /// [`WasmEngine::precompile`](crate::WasmEngine::precompile), which are machine code.
    ///
    /// **To set this is to vouch for every precompiled file that is loaded**, as an `unsafe` block
    /// would be: nothing checks machine code, and a forged file can do all that this process can.
    /// Load only files that this program, or your own build, has written where nobody else can
    /// write. Off by default.
    pub trust_precompiled: bool,

    /// The folder in which compiled modules are kept, so that the same one is not compiled again;
    /// none by default. It is made when it is not there.
    ///
    /// What lies there is machine code, so it is only used while it belongs to the user of this
    /// process and nobody else can write to it or to a folder above it (root can, and a folder above
    /// may be one like `/tmp`, where each user has things of their own). The log tells when it is
    /// not. A damaged entry, or one of another version, is compiled anew.
    pub cache_dir: Option<PathBuf>,
}

impl Default for HostConfig {
    fn default() -> Self {
        HostConfig {
            limits: Limits::default(),
            max_rooms: None,
            replay_cpu_time: None,
            prints_replays: false,
            on_busy: None,
            busy_after: Duration::from_millis(2),
            config: None,
            canonical_nans: true,
            trust_precompiled: false,
            cache_dir: None,
        }
    }
}

/// What one room may use. An event that goes past a limit ends the room, except where it says
/// otherwise.
///
/// What a guest can see of them, memory and table, is part of what a room is: it has those that it was
/// born with until it is [told others](stateroom::StateroomService::set_limits), whatever is set here
/// when it is brought back. The others bind what is new: an event that is heard
/// [again](stateroom::StateroomService::set_replaying) has passed, and passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory of rooms that are born from now on, in bytes, rounded down to WebAssembly pages of 64 KiB; 64 MiB by default, at
    /// most 4 GiB. A guest that asks for more is told that there is none, as on a full machine;
    /// most end themselves then.
    pub memory_bytes: usize,

    /// Elements of the module's table, which holds what can be called indirectly, for rooms that are
    /// born from now on; 20,000 by default, at most 100,000. Growing past it fails as for memory.
    pub table_elements: usize,

    /// Stack in bytes for WebAssembly frames; 512 KiB by default, at most 256 MiB. The thread that
    /// calls a room needs this much besides its own: see [`Limits::thread_stack_bytes`]. (A guest in
    /// Rust also keeps a stack in its linear memory, 1 MiB unless linked otherwise.)
    pub stack_bytes: usize,

    /// CPU time of one event, or of the start of a room; 1 s by default. Measured at ticks of 2 ms,
    /// on the clock of the thread, so that waiting for a core is not held against the guest.
    pub cpu_time_per_event: Duration,

    /// Commands (sends and timers) of one event; 10,000 by default.
    pub commands_per_event: u32,

    /// Payload bytes sent by one event, each send counted once however many clients it goes to;
    /// 16 MiB by default.
    pub bytes_per_event: usize,

    /// Bytes of one printed line that reach the log; the rest is cut, which harms nobody; 4 KiB by
    /// default.
    pub log_line_bytes: usize,

    /// Printed lines of one room that reach the log within one second; more are counted and
    /// dropped, and the room goes on; 100 by default.
    pub log_lines_per_second: u32,
}

impl Limits {
    /// The most that [`Limits::stack_bytes`] can be.
    pub(crate) const MOST_STACK_BYTES: usize = 256 << 20;

    /// Stack in bytes that the host needs on a thread besides the guest: with the default limits,
    /// that makes the 2 MiB of Rust's threads.
    const HOST_STACK_BYTES: usize = 1536 << 10;

    /// How many bytes of stack a thread must have to call rooms with these limits, to build one, or to
    /// bring one back: 2 MiB with the default ones, as Rust's threads have. With less, a guest that
    /// recurses too deep ends the process instead of its event.
    #[must_use]
    pub fn thread_stack_bytes(&self) -> usize {
        self.stack_bytes.saturating_add(Limits::HOST_STACK_BYTES)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            memory_bytes: 64 << 20,
            table_elements: 20_000,
            stack_bytes: 512 << 10,
            cpu_time_per_event: Duration::from_secs(1),
            commands_per_event: 10_000,
            bytes_per_event: 16 << 20,
            log_line_bytes: 4 << 10,
            log_lines_per_second: 100,
        }
    }
}
