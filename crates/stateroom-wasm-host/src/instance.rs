//! The instance of one room: how it is made, started, called, put to sleep and woken.

use crate::{
    WasmEngine, asleep::Kept, bounds, can_sleep::CannotSleep, check::Generation, error::StartError,
    event::Event, failure, fault::Fault, generation_0_2::NamedFunctions,
    generation_0_4::EncodedMessages, guest_log::Line, host_state::HostState, lent::Lent,
    module::LoadedModule, page_map::PageMap, pool::RoomPlace, snapshot::Snapshot, source::Source,
};
use stateroom::Compression;
use wasmtime::{Extern, Global, Instance, ModuleExport, PoolConcurrencyLimitError, Store};

/// A running room.
pub(crate) struct Awake {
    // Dropped in this order: the place is given back when the instance is gone.
    pub(crate) store: Store<HostState>,
    guest: Guest,
    instance: Instance,
    place: RoomPlace,
}

/// A sleeping room.
pub(crate) struct Asleep {
    pub(crate) host: HostState,
    pub(crate) kept: Kept,
}

/// All that an event may change of a room.
pub(crate) struct Before {
    snapshot: Snapshot,
    source: Source,
    begun: [Line; 2],
}

enum Guest {
    NamedFunctions(Box<NamedFunctions>),
    EncodedMessages(Box<EncodedMessages>),
}

impl Awake {
    /// Starts the room `room_id`, with the state of another if there is one to take over.
    pub(crate) fn start(
        engine: &WasmEngine,
        module: &LoadedModule,
        room_id: &str,
        host: HostState,
        taken_over: Option<&[u8]>,
    ) -> Result<Awake, StartError> {
        let full = || StartError::Full { room_id: room_id.into(), max_rooms: engine.max_rooms() };
        let place = engine.inner.rooms.take().ok_or_else(full)?;
        let mut store = new_store(engine, host);
        match start_guest(&mut store, module, room_id, taken_over) {
            Ok((instance, guest)) => Ok(Awake { store, guest, instance, place }),
            Err(error) if error.is::<PoolConcurrencyLimitError>() => Err(full()),
            Err(error) => Err(StartError::Failed {
                room_id: room_id.into(),
                failure: failure::of(&error, store.data()),
            }),
        }
    }

    /// Brings a room back from its snapshot. Nothing of the guest runs.
    pub(crate) fn restore(
        engine: &WasmEngine,
        module: &LoadedModule,
        host: HostState,
        snapshot: &Snapshot,
        place: RoomPlace,
    ) -> wasmtime::Result<Awake> {
        let mut store = new_store(engine, host);
        let (instance, guest) = restore_guest(&mut store, module, snapshot)?;
        Ok(Awake { store, guest, instance, place })
    }

    /// Lets the guest hear one event.
    pub(crate) fn hear(&mut self, event: Event<'_>) -> wasmtime::Result<()> {
        start_event(&mut self.store);
        self.guest.hear(&mut self.store, event)
    }

    /// Has the guest tell its state, as an event that may change what it likes in the guest, but
    /// nothing outside.
    pub(crate) fn hand_over(&mut self) -> wasmtime::Result<Vec<u8>> {
        start_event(&mut self.store);
        self.store.data_mut().mute_event();
        match &self.guest {
            Guest::NamedFunctions(guest) => guest.hand_over(&mut self.store),
            Guest::EncodedMessages(_) => Err(Fault::NoCarryOver.into()),
        }
    }

    /// The state of the guest as it is now. What `page_map` knows makes it faster.
    pub(crate) fn snapshot(
        &mut self,
        module: &LoadedModule,
        page_map: &PageMap,
    ) -> Result<Snapshot, CannotSleep> {
        let globals = module.globals.as_ref().map_err(|reason| *reason)?;
        let globals = find_globals(&mut self.store, &self.instance, globals);
        let memory = self.store.data().memory;
        let lent = self.guest.lent();
        // There is no instance without a memory; this says what one would be like.
        Ok(memory.map_or_else(
            || Snapshot { image: module.image.clone(), state: Default::default() },
            |memory| {
                Snapshot::take(&mut self.store, memory, &globals, lent, &module.image, page_map)
            },
        ))
    }

    /// Lets go of the instance, keeping `snapshot`, which was taken of it just now.
    pub(crate) fn sleep(self, snapshot: Snapshot) -> (Box<Asleep>, Compression) {
        let (kept, compression) = Kept::new(snapshot);
        let mut host = self.store.into_data();
        host.rest();
        (Box::new(Asleep { host, kept }), compression)
    }

    /// Goes back to what was before: lets go of the instance, and keeps `before`. The place is the
    /// caller's to wake the room in.
    pub(crate) fn go_back(self, before: Before) -> (Box<Asleep>, RoomPlace) {
        let Before { snapshot, source, begun } = before;
        let mut host = self.store.into_data();
        host.source = source;
        host.log.go_on(begun);
        host.rest();
        (Box::new(Asleep { host, kept: Kept::new(snapshot).0 }), self.place)
    }

    /// What it takes to [`go_back`](Awake::go_back) to this moment.
    pub(crate) fn before(
        &mut self,
        module: &LoadedModule,
        page_map: &PageMap,
    ) -> Result<Before, CannotSleep> {
        let snapshot = self.snapshot(module, page_map)?;
        let host = self.store.data();
        Ok(Before {
            snapshot,
            source: host.source.clone(),
            begun: host.log.begun().map(Line::clone),
        })
    }

    /// Bytes of linear memory.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.store.data().memory.map_or(0, |memory| memory.data_size(&self.store))
    }
}

impl Asleep {
    /// Makes a new instance and brings it into the state that was kept. Nothing of the guest runs.
    /// When it can't be made, the room sleeps on.
    pub(crate) fn wake(
        self,
        engine: &WasmEngine,
        module: &LoadedModule,
        place: RoomPlace,
    ) -> Result<Awake, (Box<Asleep>, wasmtime::Error)> {
        let Asleep { host, kept } = self;
        let mut store = new_store(engine, host);
        let restored = kept.snapshot().map_err(wasmtime::Error::from);
        match restored.and_then(|snapshot| restore_guest(&mut store, module, &snapshot)) {
            Ok((instance, guest)) => Ok(Awake { store, guest, instance, place }),
            Err(error) => {
                let mut host = store.into_data();
                host.rest();
                Err((Box::new(Asleep { host, kept }), error))
            }
        }
    }
}

impl Guest {
    /// Takes the functions of `instance`, in which nothing need have run.
    fn find(
        store: &mut Store<HostState>,
        instance: &Instance,
        generation: Generation,
    ) -> wasmtime::Result<Guest> {
        Ok(match generation {
            Generation::NamedFunctions => {
                Guest::NamedFunctions(Box::new(NamedFunctions::find(store, instance)?))
            }
            Generation::EncodedMessages => {
                Guest::EncodedMessages(Box::new(EncodedMessages::find(store, instance)?))
            }
        })
    }

    fn hear(&mut self, store: &mut Store<HostState>, event: Event<'_>) -> wasmtime::Result<()> {
        match self {
            Guest::NamedFunctions(guest) => guest.hear(store, event),
            Guest::EncodedMessages(guest) => guest.hear(store, event),
        }
    }

    fn take_over(
        &self,
        store: &mut Store<HostState>,
        room_id: &str,
        state: &[u8],
    ) -> wasmtime::Result<()> {
        match self {
            Guest::NamedFunctions(guest) => guest.take_over(store, room_id, state),
            Guest::EncodedMessages(_) => Err(Fault::NoCarryOver.into()),
        }
    }

    fn lent(&self) -> Lent {
        match self {
            Guest::NamedFunctions(guest) => guest.lent(),
            Guest::EncodedMessages(_) => Default::default(),
        }
    }
}

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

fn start_guest(
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

fn restore_guest(
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
    if let Guest::NamedFunctions(guest) = &mut guest {
        guest.set_lent(snapshot.state.lent);
    }
    Ok((instance, guest))
}

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
fn start_event(store: &mut Store<HostState>) {
    store.set_epoch_deadline(1);
    store.data_mut().start_event();
}
