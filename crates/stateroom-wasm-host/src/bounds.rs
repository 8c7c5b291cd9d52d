//! How much memory and table a room may have: what it was born with or was told since, which is part of
//! what it is, and not what the host's settings say today.

use crate::{config::Limits, fault::Fault};
use stateroom::MemoryLimits;
use wasmtime::ResourceLimiter;

/// What no room can have more of, on any machine: all that 32 bits can address, and a table that is
/// larger than compilers need. The pool reserves this much address space for each room. For memory that
/// costs nothing (`benches/pool.rs`); a table of 1,000,000 would cost each room that is awake 4 KiB of
/// page tables, since no two tables would share any.
pub(crate) const MOST: MemoryLimits =
    MemoryLimits { memory_bytes: 4 << 30, table_elements: 100_000 };

/// Bytes of a page of WebAssembly.
pub(crate) const PAGE_BYTES: u64 = 64 << 10;

/// `limits` in whole pages, and no more than there can be.
pub(crate) fn possible(limits: MemoryLimits) -> MemoryLimits {
    MemoryLimits {
        memory_bytes: limits.memory_bytes.min(MOST.memory_bytes) / PAGE_BYTES * PAGE_BYTES,
        table_elements: limits.table_elements.min(MOST.table_elements),
    }
}

impl Limits {
    /// Those that a room can see.
    pub(crate) fn memory(&self) -> MemoryLimits {
        possible(MemoryLimits {
            memory_bytes: self.memory_bytes as u64,
            table_elements: self.table_elements as u64,
        })
    }
}

/// Refuses memory and table beyond the limits, and remembers that it did.
pub(crate) struct Bounds {
    limits: MemoryLimits,
    instance: Instance,
    /// Whether the guest was refused memory during this event.
    pub(crate) memory_refused: bool,
}

/// What an instance asks memory and table for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Instance {
    /// It is made for a room that starts, with what its module begins with.
    Starts,
    /// It is made for a room that had all this already, perhaps under other limits.
    ComesBack,
    /// Its guest asks, and can be told no.
    Runs,
}

impl Bounds {
    pub(crate) fn new(limits: MemoryLimits) -> Bounds {
        Bounds { limits: possible(limits), instance: Instance::Starts, memory_refused: false }
    }

    pub(crate) fn limits(&self) -> MemoryLimits {
        self.limits
    }

    /// Changes the limits. What the room has beyond them it keeps.
    pub(crate) fn set_limits(&mut self, limits: MemoryLimits) {
        self.limits = possible(limits);
    }

    /// Tells who asks from now on.
    pub(crate) fn set_instance(&mut self, instance: Instance) {
        self.instance = instance;
    }

    fn grants(&self, ask: Ask, desired: usize, maximum: Option<usize>) -> Result<bool, Fault> {
        let (setting, limit) = match ask {
            Ask::Memory => ("memory_bytes", self.limits.memory_bytes),
            Ask::Table => ("table_elements", self.limits.table_elements),
        };
        let granted = u64::try_from(desired).is_ok_and(|desired| desired <= limit);
        match self.instance {
            Instance::Starts if !granted => Err(Fault::StartsPastLimit { setting, limit, desired }),
            Instance::Starts | Instance::ComesBack => Ok(true),
            Instance::Runs => Ok(granted && maximum.is_none_or(|maximum| desired <= maximum)),
        }
    }
}

#[derive(Clone, Copy)]
enum Ask {
    Memory,
    Table,
}

impl ResourceLimiter for Bounds {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let granted = self.grants(Ask::Memory, desired, maximum)?;
        self.memory_refused |= !granted;
        Ok(granted)
    }

    /// What a guest is told must follow from what it has heard, and the machine's memory does not.
    /// So a guest that could have had the memory on another machine ends here.
    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        Err(Fault::NoMachineMemory { reason: format!("{error:#}") }.into())
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.grants(Ask::Table, desired, maximum)?)
    }

    fn instances(&self) -> usize {
        1
    }

    fn memories(&self) -> usize {
        1
    }

    fn tables(&self) -> usize {
        1
    }
}
