//! One room: awake it hears one event after the other, asleep it keeps its state, until it fails.

mod outlive;

use crate::{
    WasmHostFactory,
    can_sleep::CannotSleep,
    compress::DamagedState,
    error::StartError,
    event::Event,
    failure,
    host_state::{HostState, RoomContext},
    instance::{Asleep, Awake},
    page_map::PageMap,
    pool::RoomPlace,
    snapshot::Snapshot,
    source::Source,
};
use stateroom::{
    Birth, ClientId, LeaveReason, MemoryLimits, Request, Response, SavedState, ServiceFailure,
    Sleep, StateroomService,
};
use std::time::Duration;

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

impl WasmHost {
    pub(crate) fn start(
        factory: &WasmHostFactory,
        room_id: &str,
        context: Box<dyn RoomContext>,
    ) -> Result<WasmHost, StartError> {
        let source = Source::of_the_system().map_err(|error| StartError::NoRandomness {
            room_id: room_id.into(),
            reason: error.to_string(),
        })?;
        let limits = factory.engine.inner.config.limits.memory();
        let host = factory.engine.host_state(room_id, context, source, limits);
        let awake = Awake::start(&factory.engine, &factory.module, room_id, host, None)?;
        Ok(WasmHost::of(factory, awake))
    }

    /// Starts a room that is born as `birth` tells, for the first time or `again`.
    pub(crate) fn start_at(
        factory: &WasmHostFactory,
        room_id: &str,
        context: Box<dyn RoomContext>,
        birth: &Birth,
        again: bool,
    ) -> Result<WasmHost, StartError> {
        let source = Source::born(birth);
        let mut host = factory.engine.host_state(room_id, context, source, birth.limits);
        host.set_replaying(again);
        let mut awake = Awake::start(&factory.engine, &factory.module, room_id, host, None)?;
        awake.store.data_mut().set_replaying(false);
        Ok(WasmHost::of(factory, awake))
    }

    fn of(factory: &WasmHostFactory, awake: Awake) -> WasmHost {
        WasmHost { factory: factory.clone(), state: State::Awake(awake), failure: None }
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
        self.have(|awake| awake.hear(event));
    }

    /// Has the room do something, for which it wakes. `None` where it fails.
    fn have<T>(&mut self, what: impl FnOnce(&mut Awake) -> wasmtime::Result<T>) -> Option<T> {
        if !self.wake() {
            self.fail(self.no_place());
        }
        let State::Awake(awake) = &mut self.state else { return None };
        match what(awake) {
            Ok(done) => Some(done),
            Err(error) => {
                let failure = failure::of(&error, awake.store.data());
                self.fail(failure);
                None
            }
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

    fn host_mut(&mut self) -> Option<&mut HostState> {
        match &mut self.state {
            State::Awake(awake) => Some(awake.store.data_mut()),
            State::Asleep(asleep) => Some(&mut asleep.host),
            State::Ended => None,
        }
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

    fn left(&mut self, client: ClientId, reason: LeaveReason) {
        self.hear(Event::Leave(client, reason));
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

    /// A room whose module does not hear requests has no answer to any.
    fn request(&mut self, request: &Request) -> Response {
        let answer = self.have(|awake| awake.request(&request.encode()));
        answer.flatten().unwrap_or_else(|| Response::new(404))
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
        self.state_as_it_is()
    }

    /// The room stays as it was, bit by bit, whatever the service does to tell its state and however
    /// that ends. Only one that can't sleep counts it as an event, and may fail.
    fn hand_over(&mut self) -> Option<Result<Vec<u8>, ServiceFailure>> {
        let offered = self.factory.module.carries_over && self.failure.is_none();
        offered.then(|| self.tell_state())
    }

    fn set_time(&mut self, now: Duration) {
        if let Some(host) = self.host_mut() {
            host.source.set_time(now);
        }
    }

    fn set_limits(&mut self, limits: MemoryLimits) {
        if let Some(host) = self.host_mut() {
            host.bounds.set_limits(limits);
        }
    }

    fn set_replaying(&mut self, replaying: bool) {
        if let Some(host) = self.host_mut() {
            host.set_replaying(replaying);
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
