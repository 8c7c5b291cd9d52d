//! How a factory builds rooms: new ones, and ones that were there before.

use crate::{
    WasmHostFactory, error::StartError, interface::Generation, module::LoadedModule, request,
    room::WasmHost,
};
use stateroom::{
    Birth, CodeVersion, MemoryLimits, RestoreFailure, StateroomContext, StateroomServiceFactory,
};
use std::sync::Arc;

impl<C: StateroomContext + Send + 'static> StateroomServiceFactory<C> for WasmHostFactory {
    type Service = WasmHost;
    type Error = StartError;

    fn build(&self, room_id: &str, context: C) -> Result<WasmHost, StartError> {
        WasmHost::start(self, room_id, Box::new(context))
    }

    /// The limits of `birth` hold as far as there can be so much: 4 GiB of memory, in whole pages of
    /// 64 KiB, and 100,000 elements of a table.
    fn build_at(&self, room_id: &str, context: C, birth: &Birth) -> Result<WasmHost, StartError> {
        WasmHost::start_at(self, room_id, Box::new(context), birth, false)
    }

    fn build_again(
        &self,
        room_id: &str,
        context: C,
        birth: &Birth,
    ) -> Result<WasmHost, StartError> {
        WasmHost::start_at(self, room_id, Box::new(context), birth, true)
    }

    /// Those of [`HostConfig::limits`](crate::HostConfig::limits).
    fn limits(&self) -> MemoryLimits {
        self.engine.inner.config.limits.memory()
    }

    /// That of [`HostConfig::config`](crate::HostConfig::config).
    fn config(&self) -> Option<Arc<str>> {
        self.engine.inner.config.config.clone()
    }

    /// The SHA-256 of the file that was loaded, byte by byte: a module and what was precompiled of
    /// it have different versions.
    fn version(&self) -> Result<CodeVersion, String> {
        match self.can_sleep() {
            Ok(()) => Ok(self.module.version),
            Err(reason) => Err(reason.to_string()),
        }
    }

    fn code(&self) -> Option<Arc<[u8]>> {
        Some(self.module.code.clone())
    }

    /// The room has the limits of memory and table that it had, whatever those of today are.
    fn restore(&self, room_id: &str, context: C, state: &[u8]) -> Result<WasmHost, RestoreFailure> {
        WasmHost::restore(self, room_id, Box::new(context), state)
    }

    /// Whether the service of the module has opted in with `#[stateroom_wasm(carry_over)]`.
    fn hears_requests(&self) -> bool {
        let LoadedModule { instance, generation, .. } = &*self.module;
        *generation == Generation::NamedFunctions && request::is_offered(instance.module())
    }

    fn takes_over(&self) -> bool {
        self.module.carries_over
    }

    /// Starts a room with the state of one of other code. It is an event like any other: bounded in
    /// time and memory, and what the service says against the state is the reason of the failure.
    fn take_over(
        &self,
        room_id: &str,
        context: C,
        birth: &Birth,
        state: &[u8],
    ) -> Result<WasmHost, RestoreFailure> {
        WasmHost::take_over(self, room_id, Box::new(context), birth, state)
    }
}
