//! One room: awake it hears one event after the other, asleep it keeps its state, until it fails.

use crate::{
    WasmHostFactory,
    asleep::Form,
    can_sleep::CannotSleep,
    compress::DamagedState,
    engine::RoomPlace,
    error::StartError,
    fault,
    host_state::{HostState, RoomContext},
    instance::{Asleep, Awake},
    page_map::PageMap,
    saved_state,
    snapshot::Snapshot,
    source::Source,
};
use sha2::{Digest, Sha256};
use stateroom::{
    Birth, ClientId, RestoreFailure, SavedState, ServiceFailure, Sleep, StateroomService,
};
use std::{sync::Arc, time::Duration};

/// What a room that is awake takes besides its linear memory, in bytes, as measured: an instance,
/// its store, and the pages that a start has written to.
const AWAKE_BYTES: usize = 34 << 10;

/// A room of a [`WasmHostFactory`].
///
/// It is awake when it starts. [`sleep`](StateroomService::sleep) drops its instance and keeps what
/// differs from the one all rooms start with; the next event, or
/// [`wake`](StateroomService::wake), makes a new instance and brings it back, bit by bit.
///
/// Once [`failure`](StateroomService::failure) is set, its instance is gone and it hears no more
/// events.
pub struct WasmHost {
    factory: WasmHostFactory,
    state: State,
    failure: Option<Box<ServiceFailure>>,
}

enum State {
    Awake(Awake),
    Asleep(Box<Asleep>),
    /// There is a failure, or the state is just being changed.
    Ended,
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
        factory: &WasmHostFactory,
        room_id: &str,
        context: Box<dyn RoomContext>,
        birth: Option<&Birth>,
    ) -> Result<WasmHost, StartError> {
        let source = match birth {
            Some(birth) => Source::born(birth),
            None => Source::of_the_system().map_err(|error| StartError::NoRandomness {
                room_id: room_id.into(),
                reason: error.to_string(),
            })?,
        };
        let awake = Awake::start(&factory.engine, &factory.module, room_id, context, source, None)?;
        Ok(WasmHost { factory: factory.clone(), state: State::Awake(awake), failure: None })
    }

    pub(crate) fn take_over(
        factory: &WasmHostFactory,
        room_id: &str,
        context: Box<dyn RoomContext>,
        birth: &Birth,
        state: &[u8],
    ) -> Result<WasmHost, RestoreFailure> {
        let WasmHostFactory { engine, module } = factory;
        if !module.carries_over {
            return Err(RestoreFailure::Unsupported);
        }
        let source = Source::born(birth);
        match Awake::start(engine, module, room_id, context, source, Some(state)) {
            Ok(awake) => {
                Ok(WasmHost { factory: factory.clone(), state: State::Awake(awake), failure: None })
            }
            Err(StartError::Failed { failure, .. }) => Err(RestoreFailure::Failed(failure)),
            Err(StartError::Full { .. } | StartError::NoRandomness { .. }) => {
                Err(RestoreFailure::Full)
            }
        }
    }

    pub(crate) fn restore(
        factory: &WasmHostFactory,
        room_id: &str,
        context: Box<dyn RoomContext>,
        bytes: &[u8],
    ) -> Result<WasmHost, RestoreFailure> {
        let WasmHostFactory { engine, module } = factory;
        let wanted = module.wanted_state(engine).map_err(|_| RestoreFailure::Unsupported)?;
        let place = engine.inner.rooms.take().ok_or(RestoreFailure::Full)?;
        let saved = saved_state::read(bytes, &wanted).map_err(RestoreFailure::Damaged)?;
        let mut host = HostState::new(engine, room_id, context, saved.source);
        host.log.go_on(saved.begun);
        let awake = Awake::restore(engine, module, host, &saved.snapshot, place);
        let awake = awake.map_err(|error| {
            // The state was found to be right, so it is the machine that has not the memory now.
            tracing::warn!(room_id, error = format!("{error:#}"), "a room can't be restored now");
            RestoreFailure::Full
        })?;
        Ok(WasmHost { factory: factory.clone(), state: State::Awake(awake), failure: None })
    }

    /// A digest of all that the future of this room rests on, awake or asleep: its memory and
    /// globals, its clock and its randomness. Two rooms of a module that are in the same state have
    /// the same one. `None` once the room has failed, and for a room that can't sleep.
    ///
    /// It takes 3 ms for each megabyte that differs from what rooms start with.
    pub fn state_digest(&mut self) -> Option<[u8; 32]> {
        let snapshot = self.snapshot().ok()??;
        let mut bytes = snapshot.encode();
        saved_state::encode_source(&self.host()?.source, &mut bytes);
        Some(Sha256::digest(bytes).into())
    }

    fn host(&self) -> Option<&HostState> {
        match &self.state {
            State::Awake(awake) => Some(awake.store.data()),
            State::Asleep(asleep) => Some(&asleep.host),
            State::Ended => None,
        }
    }

    /// The state of this room as it is, awake or asleep; `None` once it has failed.
    ///
    /// # Errors
    /// When rooms of its module cannot sleep.
    pub fn snapshot(&mut self) -> Result<Option<Snapshot>, CannotSleep> {
        self.snapshot_with(false)
    }

    /// The same, found by comparing all of the memory instead of what the kernel names.
    #[doc(hidden)]
    pub fn snapshot_of_everything(&mut self) -> Result<Option<Snapshot>, CannotSleep> {
        self.snapshot_with(true)
    }

    fn snapshot_with(&mut self, everything: bool) -> Result<Option<Snapshot>, CannotSleep> {
        let WasmHostFactory { engine, module } = &self.factory;
        let unknown = PageMap::unknown();
        let page_map = if everything { &unknown } else { &engine.inner.page_map };
        match &mut self.state {
            State::Awake(awake) => awake.snapshot(module, page_map).map(Some),
            State::Asleep(asleep) => {
                Ok(asleep.kept.snapshot().ok().map(|snapshot| (*snapshot).clone()))
            }
            State::Ended => Ok(None),
        }
    }

    fn hear(&mut self, event: Event<'_>) {
        if !self.wake() {
            self.fail(self.no_place());
        }
        let State::Awake(awake) = &mut self.state else { return };
        if let Err(error) = awake.hear(event) {
            let failure = fault::failure(&error, awake.store.data());
            self.fail(failure);
        }
    }

    fn no_place(&self) -> ServiceFailure {
        let max_rooms = self.factory.engine.max_rooms();
        ServiceFailure {
            summary: "room failed: the server is full",
            detail: format!(
                "the room was asleep and could not wake for an event, with at most {max_rooms} \
                 rooms awake at once"
            ),
        }
    }

    /// Has the guest tell its state, and goes back to what was before.
    fn tell_state(&mut self) -> Result<Vec<u8>, ServiceFailure> {
        let was_awake = self.is_awake();
        if !self.wake() {
            return Err(self.no_place());
        }
        let page_map = &self.factory.engine.inner.page_map;
        let before = match &mut self.state {
            State::Awake(awake) => awake.before(&self.factory.module, page_map),
            State::Asleep(_) | State::Ended => return Err(self.failed()),
        };
        let State::Awake(mut awake) = std::mem::replace(&mut self.state, State::Ended) else {
            return Err(self.failed());
        };
        let told = awake.hand_over().map_err(|error| fault::failure(&error, awake.store.data()));
        match (before, &told) {
            (Ok(before), _) => {
                let (asleep, place) = awake.go_back(before);
                self.state = State::Asleep(asleep);
                if was_awake {
                    // If it can't be woken now, it will be when it hears something.
                    self.wake_in(place);
                }
            }
            // Its state can't be taken back, so it counts as an event that it has heard.
            (Err(_), Ok(_)) => self.state = State::Awake(awake),
            (Err(_), Err(failure)) => self.fail(failure.clone()),
        }
        told
    }

    fn failed(&self) -> ServiceFailure {
        let failure = self.failure.as_deref().cloned();
        failure.unwrap_or(ServiceFailure {
            summary: "room failed: it could not be woken",
            detail: "the room has no state".into(),
        })
    }

    /// Wakes the room, which sleeps, in a place for it.
    fn wake_in(&mut self, place: RoomPlace) -> bool {
        let WasmHostFactory { engine, module } = &self.factory;
        let State::Asleep(asleep) = std::mem::replace(&mut self.state, State::Ended) else {
            return false;
        };
        match asleep.wake(engine, module, place) {
            Ok(awake) => self.state = State::Awake(awake),
            Err((_, error)) if error.is::<DamagedState>() => self.fail(ServiceFailure {
                summary: "room failed: it could not be woken",
                detail: error.to_string(),
            }),
            Err((asleep, error)) => {
                tracing::warn!(error = format!("{error:#}"), "a room could not be woken now");
                self.state = State::Asleep(asleep);
                return false;
            }
        }
        true
    }

    fn fail(&mut self, failure: ServiceFailure) {
        self.state = State::Ended;
        self.failure = Some(Box::new(failure));
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
        self.failure.as_deref()
    }

    fn is_awake(&self) -> bool {
        !matches!(self.state, State::Asleep(_))
    }

    fn sleep(&mut self) -> Sleep {
        let State::Awake(awake) = &mut self.state else {
            return if self.is_awake() { Sleep::StaysAwake } else { Sleep::Asleep(None) };
        };
        let WasmHostFactory { engine, module } = &self.factory;
        let Ok(snapshot) = awake.snapshot(module, &engine.inner.page_map) else {
            return Sleep::StaysAwake;
        };
        let State::Awake(awake) = std::mem::replace(&mut self.state, State::Ended) else {
            return Sleep::StaysAwake;
        };
        let (asleep, compression) = awake.sleep(snapshot);
        self.state = State::Asleep(asleep);
        Sleep::Asleep(Some(compression))
    }

    fn wake(&mut self) -> bool {
        if self.is_awake() {
            return true;
        }
        match self.factory.engine.inner.rooms.take() {
            Some(place) => self.wake_in(place),
            None => false,
        }
    }

    fn save(&mut self) -> Option<SavedState> {
        let WasmHostFactory { engine, module } = &self.factory;
        let form = match &mut self.state {
            State::Awake(awake) => {
                let snapshot = awake.snapshot(module, &engine.inner.page_map).ok()?;
                Form::Raw(Arc::new(snapshot))
            }
            State::Asleep(asleep) => asleep.kept.form(),
            State::Ended => return None,
        };
        Some(saved_state::save(module.version, self.host()?, form))
    }

    /// The room stays as it was, bit by bit, whatever the service does to tell its state and however
    /// that ends. Only one that can't sleep counts it as an event, and may fail.
    fn hand_over(&mut self) -> Option<Result<Vec<u8>, ServiceFailure>> {
        let offered = self.factory.module.carries_over && self.failure.is_none();
        offered.then(|| self.tell_state())
    }

    fn set_time(&mut self, now: Duration) {
        match &mut self.state {
            State::Awake(awake) => awake.store.data_mut().source.set_time(now),
            State::Asleep(asleep) => asleep.host.source.set_time(now),
            State::Ended => {}
        }
    }

    fn footprint(&self) -> usize {
        match &self.state {
            State::Awake(awake) => {
                let started_with = self.factory.module.memory_bytes;
                AWAKE_BYTES + awake.memory_bytes().saturating_sub(started_with)
            }
            State::Asleep(asleep) => size_of::<Asleep>() + asleep.kept.bytes(),
            State::Ended => 0,
        }
    }
}
