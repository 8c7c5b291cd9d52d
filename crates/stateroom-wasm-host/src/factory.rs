//! What builds the rooms of one module: the module, and the engine that they run in.

use crate::{WasmEngine, can_sleep::CannotSleep, module::LoadedModule};
use std::sync::Arc;

/// Builds the rooms of one module. Cloning it gives another handle to the same module.
#[derive(Clone)]
pub struct WasmHostFactory {
    pub(crate) engine: WasmEngine,
    pub(crate) module: Arc<LoadedModule>,
}

impl WasmHostFactory {
    /// The engine its rooms run in.
    #[must_use]
    pub fn engine(&self) -> &WasmEngine {
        &self.engine
    }

    /// Whether the rooms of this module can sleep.
    ///
    /// # Errors
    /// Why they cannot, in which case they stay awake.
    pub fn can_sleep(&self) -> Result<(), CannotSleep> {
        self.module.globals.as_ref().map(|_| ()).map_err(|reason| *reason)
    }
}
