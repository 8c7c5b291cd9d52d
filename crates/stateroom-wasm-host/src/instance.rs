//! One room, awake or asleep: how it is started, hears events, is put to sleep and woken.

use crate::{
    WasmEngine,
    asleep::Kept,
    can_sleep::CannotSleep,
    error::StartError,
    event::Event,
    failure,
    guest::Guest,
    guest_log::Line,
    host_state::HostState,
    instantiate::{find_globals, new_store, restore_guest, start_event, start_guest},
    module::LoadedModule,
    page_map::PageMap,
    pool::RoomPlace,
    snapshot::Snapshot,
    source::Source,
};
use stateroom::{Compression, Response};
use wasmtime::{Instance, PoolConcurrencyLimitError, Store};

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

    /// Has the guest answer a request, if it hears them.
    pub(crate) fn request(&mut self, request: &[u8]) -> wasmtime::Result<Option<Response>> {
        start_event(&mut self.store);
        self.guest.request(&mut self.store, request)
    }

    /// Has the guest tell its state, as an event that may change what it likes in the guest, but
    /// nothing outside.
    pub(crate) fn hand_over(&mut self) -> wasmtime::Result<Vec<u8>> {
        start_event(&mut self.store);
        self.store.data_mut().mute_event();
        self.guest.hand_over(&mut self.store)
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
