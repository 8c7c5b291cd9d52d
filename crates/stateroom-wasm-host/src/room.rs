//! One room: an instance of a module, hearing one event after the other until it fails.

use crate::{
    WasmEngine,
    check::Generation,
    engine::RoomPlace,
    error::StartError,
    fault,
    generation_0_2::NamedFunctions,
    generation_0_4::EncodedMessages,
    host_state::{HostState, RoomContext},
    load::LoadedModule,
};
use stateroom::{ClientId, ServiceFailure, StateroomService};
use std::sync::Arc;
use wasmtime::{Instance, PoolConcurrencyLimitError, Store};

/// A running room of a [`WasmHostFactory`](crate::WasmHostFactory).
///
/// Once [`failure`](StateroomService::failure) is set, its instance is gone and it hears no more
/// events.
pub struct WasmHost {
    running: Option<Running>,
    failure: Option<ServiceFailure>,
}

struct Running {
    // Dropped in this order: the place is given back when the instance is gone.
    store: Store<HostState>,
    guest: Guest,
    _place: RoomPlace,
}

enum Guest {
    NamedFunctions(Box<NamedFunctions>),
    EncodedMessages(EncodedMessages),
}

/// What a room hears.
#[derive(Clone, Copy)]
pub(crate) enum Event<'a> {
    Start { room_id: &'a str },
    Connect(ClientId),
    Disconnect(ClientId),
    Message(ClientId, &'a str),
    Binary(ClientId, &'a [u8]),
    Timer,
}

impl WasmHost {
    pub(crate) fn start(
        engine: &WasmEngine,
        module: &LoadedModule,
        room_id: &str,
        context: Box<dyn RoomContext>,
    ) -> Result<WasmHost, StartError> {
        let full = || StartError::Full { room_id: room_id.into(), max_rooms: engine.max_rooms() };
        let place = engine.inner.rooms.take().ok_or_else(full)?;
        let mut store = new_store(engine, room_id, context);
        match start_guest(&mut store, module, room_id) {
            Ok(guest) => Ok(WasmHost {
                running: Some(Running { store, guest, _place: place }),
                failure: None,
            }),
            Err(error) if error.is::<PoolConcurrencyLimitError>() => Err(full()),
            Err(error) => Err(StartError::Failed {
                room_id: room_id.into(),
                failure: fault::failure(&error, store.data()),
            }),
        }
    }

    fn hear(&mut self, event: Event<'_>) {
        let Some(running) = &mut self.running else { return };
        start_event(&mut running.store);
        if let Err(error) = running.guest.hear(&mut running.store, event) {
            self.failure = Some(fault::failure(&error, running.store.data()));
            self.running = None;
        }
    }
}

impl StateroomService for WasmHost {
    fn connect(&mut self, client: ClientId) {
        self.hear(Event::Connect(client));
    }

    fn disconnect(&mut self, client: ClientId) {
        self.hear(Event::Disconnect(client));
    }

    fn message(&mut self, client: ClientId, message: &str) {
        self.hear(Event::Message(client, message));
    }

    fn binary(&mut self, client: ClientId, message: &[u8]) {
        self.hear(Event::Binary(client, message));
    }

    fn timer(&mut self) {
        self.hear(Event::Timer);
    }

    fn failure(&self) -> Option<&ServiceFailure> {
        self.failure.as_ref()
    }
}

impl Guest {
    fn hear(&mut self, store: &mut Store<HostState>, event: Event<'_>) -> wasmtime::Result<()> {
        match self {
            Guest::NamedFunctions(guest) => guest.hear(store, event),
            Guest::EncodedMessages(guest) => guest.hear(store, event),
        }
    }
}

/// A store with its bounds, in which nothing runs yet.
pub(crate) fn new_store(
    engine: &WasmEngine,
    room_id: &str,
    context: Box<dyn RoomContext>,
) -> Store<HostState> {
    let inner = &engine.inner;
    let state =
        HostState::new(Arc::clone(&inner.config), Arc::clone(&inner.ticker), room_id, context);
    let mut store = Store::new(&inner.engine, state);
    store.limiter(|state| &mut state.bounds);
    store.epoch_deadline_callback(|mut context| context.data_mut().tick());
    store
}

/// Makes the instance and runs its constructors, which counts as an event.
pub(crate) fn instantiate(
    store: &mut Store<HostState>,
    module: &LoadedModule,
) -> wasmtime::Result<Instance> {
    start_event(store);
    let instance = module.instance.instantiate(&mut *store)?;
    store.data_mut().memory = instance.get_memory(&mut *store, "memory");
    if instance.get_export(&mut *store, "_initialize").is_some() {
        instance.get_typed_func::<(), ()>(&mut *store, "_initialize")?.call(&mut *store, ())?;
    }
    Ok(instance)
}

fn start_guest(
    store: &mut Store<HostState>,
    module: &LoadedModule,
    room_id: &str,
) -> wasmtime::Result<Guest> {
    let instance = instantiate(store, module)?;
    let mut guest = match module.generation {
        Generation::NamedFunctions => {
            Guest::NamedFunctions(Box::new(NamedFunctions::find(store, &instance)?))
        }
        Generation::EncodedMessages => {
            Guest::EncodedMessages(EncodedMessages::find(store, &instance)?)
        }
    };
    guest.hear(store, Event::Start { room_id })?;
    Ok(guest)
}

/// Gives the guest a new event's allowance. The deadline comes first: the ticker promises a tick
/// after it.
fn start_event(store: &mut Store<HostState>) {
    store.set_epoch_deadline(1);
    store.data_mut().start_event();
}
