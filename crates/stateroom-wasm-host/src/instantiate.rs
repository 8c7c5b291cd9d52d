//! How the instance of a room is made, and what runs in it before the first event.

use crate::{
    WasmEngine, bounds, event::Event, fault::Fault, guest::Guest, host_state::HostState,
    module::LoadedModule, snapshot::Snapshot,
};
use wasmtime::{Extern, Global, Instance, ModuleExport, Store};

/// A store with its bounds, in which nothing runs yet.
pub(crate) fn new_store(engine: &WasmEngine, host: HostState) -> Store<HostState> {
    let mut store = Store::new(&engine.inner.engine, host);
    store.limiter(|host| &mut host.bounds);
    store.epoch_deadline_callback(|mut context| context.data_mut().tick());
    // For an instance that is only restored, which hears an event soon.
    store.set_epoch_deadline(1);
    store
}

/// Makes the instance, in which nothing has run: its module has no start function, see
/// [`prepare`](crate::prepare).
pub(crate) fn instantiate(
    store: &mut Store<HostState>,
    module: &LoadedModule,
    kind: bounds::Instance,
) -> wasmtime::Result<Instance> {
    store.data_mut().bounds.set_instance(kind);
    let instance = module.instance.instantiate(&mut *store)?;
    store.data_mut().memory = instance.get_memory(&mut *store, "memory");
    Ok(instance)
}

/// Runs what a module runs before anything else: its start function and `_initialize`. Counts as an
/// event.
pub(crate) fn run_constructors(
    store: &mut Store<HostState>,
    module: &LoadedModule,
    instance: &Instance,
) -> wasmtime::Result<()> {
    store.data_mut().bounds.set_instance(bounds::Instance::Runs);
    start_event(store);
    if let Some(start) = &module.start
        && let Some(Extern::Func(start)) = instance.get_module_export(&mut *store, start)
    {
        start.typed::<(), ()>(&mut *store)?.call(&mut *store, ())?;
    }
    if instance.get_export(&mut *store, "_initialize").is_some() {
        instance.get_typed_func::<(), ()>(&mut *store, "_initialize")?.call(&mut *store, ())?;
    }
    Ok(())
}

/// Makes the instance of a room and starts it, with the state of another if there is one to take over.
pub(crate) fn start_guest(
    store: &mut Store<HostState>,
    module: &LoadedModule,
    room_id: &str,
    taken_over: Option<&[u8]>,
) -> wasmtime::Result<(Instance, Guest)> {
    let instance = instantiate(store, module, bounds::Instance::Starts)?;
    run_constructors(store, module, &instance)?;
    let mut guest = Guest::find(store, &instance, module.generation)?;
    match taken_over {
        None => guest.hear(store, Event::Start { room_id })?,
        Some(state) => guest.take_over(store, room_id, state)?,
    }
    Ok((instance, guest))
}

/// Makes an instance and brings it into the state of `snapshot`. Nothing of the guest runs.
pub(crate) fn restore_guest(
    store: &mut Store<HostState>,
    module: &LoadedModule,
    snapshot: &Snapshot,
) -> wasmtime::Result<(Instance, Guest)> {
    let instance = instantiate(store, module, bounds::Instance::ComesBack)?;
    let memory = store.data().memory.ok_or(Fault::NoMemory)?;
    let globals = match &module.globals {
        Ok(globals) => find_globals(store, &instance, globals),
        Err(reason) => return Err((*reason).into()),
    };
    snapshot.state.restore(&mut *store, memory, &globals)?;
    store.data_mut().bounds.set_instance(bounds::Instance::Runs);
    let mut guest = Guest::find(store, &instance, module.generation)?;
    guest.set_lent(snapshot.state.lent);
    Ok((instance, guest))
}

/// The globals of an instance that its snapshots hold.
pub(crate) fn find_globals(
    store: &mut Store<HostState>,
    instance: &Instance,
    globals: &[ModuleExport],
) -> Vec<Global> {
    let exports = globals.iter().map(|global| instance.get_module_export(&mut *store, global));
    exports.filter_map(|export| export.and_then(Extern::into_global)).collect()
}

/// Gives the guest a new event's allowance. The deadline comes first: the ticker promises a tick
/// after it.
pub(crate) fn start_event(store: &mut Store<HostState>) {
    store.set_epoch_deadline(1);
    store.data_mut().start_event();
}
