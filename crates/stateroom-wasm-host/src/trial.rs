//! Tries a module once when it is loaded: it starts, it says its version, and what its memory starts
//! with is kept.

use crate::{
    WasmEngine, bounds,
    error::LoadError,
    failure,
    fault::Fault,
    host_state::{HostState, RoomContext},
    image::Image,
    instantiate,
    memory::GuestMemory,
    module::LoadedModule,
    snapshot,
    source::Source,
};
use stateroom::{ClientId, MemoryLimits, MessageRecipient};
use std::{panic::resume_unwind, sync::PoisonError, thread};
use tracing::dispatcher;
use wasmtime::{Instance, Store};

/// Instantiates the module once, without starting a room: keeps the memory it starts with, and
/// reads its version. A module that is `kept` has passed this before, and is held to no limit of
/// today.
///
/// It runs on a thread that has the stack for it, which the caller's may not have.
pub(crate) fn try_out(
    module: &mut LoadedModule,
    engine: &WasmEngine,
    name: &str,
    limits: MemoryLimits,
    kept: bool,
) -> Result<(), LoadError> {
    let _one_at_a_time = engine.inner.trial.lock().unwrap_or_else(PoisonError::into_inner);
    let logs = dispatcher::get_default(Clone::clone);
    thread::scope(|scope| {
        let trial = thread::Builder::new()
            .name("stateroom-trial".into())
            .stack_size(engine.thread_stack_bytes())
            .spawn_scoped(scope, || {
                dispatcher::with_default(&logs, || try_here(module, engine, name, limits, kept))
            })
            .map_err(|source| LoadError::NoThread { module: name.into(), source })?;
        trial.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

fn try_here(
    loaded: &mut LoadedModule,
    engine: &WasmEngine,
    name: &str,
    limits: MemoryLimits,
    kept: bool,
) -> Result<(), LoadError> {
    let context = Box::new(NoContext);
    let mut host = engine.host_state("(trial)", context, Source::of_a_trial(), limits);
    host.set_replaying(kept);
    let mut store = instantiate::new_store(engine, host);
    let instance = try_start(loaded, &mut store).map_err(|error| {
        let module = name.into();
        match error.downcast_ref::<Fault>() {
            Some(fault @ Fault::StartsPastLimit { .. }) => {
                LoadError::Memory { module, problem: fault.to_string() }
            }
            _ => {
                let failure = failure::of(&error, store.data());
                LoadError::FailsAtStart { module, failure }
            }
        }
    })?;
    if let Some(memory) = store.data().memory {
        snapshot::try_page_map(memory.data(&store), &loaded.image, &engine.inner.page_map);
    }
    for (export, wanted) in loaded.generation.versions() {
        let address = instance
            .get_global(&mut store, export)
            .and_then(|global| global.get(&mut store).i32().map(i32::cast_unsigned));
        let memory = store.data().memory;
        let found = match (address, memory) {
            (Some(address), Some(memory)) => {
                GuestMemory::new(memory.data_mut(&mut store)).read_u32(address).ok()
            }
            _ => None,
        };
        match found {
            Some(found) if found == wanted => {}
            Some(found) => {
                let module = name.into();
                return Err(LoadError::WrongVersion { module, export, wanted, found });
            }
            None => {
                let address = address.unwrap_or_default();
                return Err(LoadError::WrongSignature {
                    module: name.into(),
                    item: export.into(),
                    wanted: "the address of an i32 in memory".into(),
                    found: format!("{address}, which is outside"),
                });
            }
        }
    }
    Ok(())
}

fn try_start(
    module: &mut LoadedModule,
    store: &mut Store<HostState>,
) -> wasmtime::Result<Instance> {
    let instance = instantiate::instantiate(store, module, bounds::Instance::Starts)?;
    if let Some(memory) = store.data().memory {
        module.image = Image::of(memory.data(&store));
        module.memory_bytes = memory.data_size(&store);
    }
    instantiate::run_constructors(store, module, &instance)?;
    Ok(instance)
}

/// The context of a trial, where nobody listens.
struct NoContext;

impl RoomContext for NoContext {
    fn send_text(&self, _: MessageRecipient, _: &str) {}
    fn send_binary(&self, _: MessageRecipient, _: &[u8]) {}
    fn set_timer(&self, _: u32) {}
    fn close(&self, _: ClientId, _: u16, _: &str) {}
    fn clients(&self) -> Vec<ClientId> {
        Vec::new()
    }
    fn user(&self, _: ClientId) -> Option<String> {
        None
    }
    fn claim(&self, _: ClientId, _: &str) -> Option<String> {
        None
    }
    fn config(&self, _: &str) -> Option<String> {
        None
    }
}
