//! A module that is loaded: what every room of it shares.

use crate::{
    bounds::{self, PAGE_BYTES},
    can_sleep::CannotSleep,
    host_state::HostState,
    image::Image,
    interface::Generation,
    saved_state::Wanted,
};
use stateroom::CodeVersion;
use std::sync::Arc;
use wasmtime::{ExternType, InstancePre, MemoryType, ModuleExport};

/// Pages of memory that there can be.
const MOST_PAGES: u64 = bounds::MOST.memory_bytes / PAGE_BYTES;

/// A module that can be instantiated.
pub(crate) struct LoadedModule {
    pub(crate) instance: InstancePre<HostState>,
    pub(crate) generation: Generation,
    /// What to run before anything else when a room starts, and never when it wakes.
    pub(crate) start: Option<ModuleExport>,
    /// The mutable globals, or why rooms can't sleep.
    pub(crate) globals: Result<Vec<ModuleExport>, CannotSleep>,
    /// The memory that a room starts with, and its size.
    pub(crate) image: Image,
    pub(crate) memory_bytes: usize,
    /// Whether rooms hand over their state, and take one over.
    pub(crate) carries_over: bool,
    /// The SHA-256 of the file, as it was given.
    pub(crate) version: CodeVersion,
    /// What was loaded.
    pub(crate) code: Arc<[u8]>,
}

impl LoadedModule {
    /// What the state of a room of this module is like, unless its rooms have none that can be
    /// saved.
    pub(crate) fn wanted_state(&self) -> Result<Wanted<'_>, CannotSleep> {
        let globals = self.globals.as_ref().map_err(|reason| *reason)?;
        let memory = self.instance.module().get_export("memory");
        let memory = memory.as_ref().and_then(ExternType::memory);
        let least = memory.map_or(0, MemoryType::minimum);
        let most = memory.and_then(MemoryType::maximum).unwrap_or(MOST_PAGES).min(MOST_PAGES);
        Ok(Wanted {
            version: self.version,
            image: &self.image,
            globals: globals.len(),
            memory_pages: (least, most),
        })
    }
}
