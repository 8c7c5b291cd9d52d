//! How a room outlives its instance, its process and its code: it is saved and restored, and tells
//! its state to others, who take it over.

use super::{State, WasmHost};
use crate::{
    WasmHostFactory,
    asleep::{Form, Kept},
    error::StartError,
    failure,
    host_state::{HostState, RoomContext},
    instance::Awake,
    saved_state,
    source::Source,
};
use sha2::{Digest, Sha256};
use stateroom::{Birth, RestoreFailure, SavedState, ServiceFailure, StateroomService};
use std::sync::Arc;

impl WasmHost {
    /// Starts a room with a state that one of other code has told.
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
        let host = engine.host_state(room_id, context, Source::born(birth), birth.limits);
        match Awake::start(engine, module, room_id, host, Some(state)) {
            Ok(awake) => Ok(WasmHost::of(factory, awake)),
            Err(StartError::Failed { failure, .. }) => Err(RestoreFailure::Failed(failure)),
            Err(StartError::Full { .. } | StartError::NoRandomness { .. }) => {
                Err(RestoreFailure::Full)
            }
        }
    }

    /// Brings a room back from what was saved of it.
    pub(crate) fn restore(
        factory: &WasmHostFactory,
        room_id: &str,
        context: Box<dyn RoomContext>,
        bytes: &[u8],
    ) -> Result<WasmHost, RestoreFailure> {
        let WasmHostFactory { engine, module } = factory;
        let wanted = module.wanted_state().map_err(|_| RestoreFailure::Unsupported)?;
        let place = engine.inner.rooms.take().ok_or(RestoreFailure::Full)?;
        let saved = saved_state::read(bytes, &wanted).map_err(RestoreFailure::Damaged)?;
        let mut host = engine.host_state(room_id, context, saved.source, saved.limits);
        host.log.go_on(saved.begun);
        let awake = Awake::restore(engine, module, host, &saved.snapshot, place);
        let awake = awake.map_err(|error| {
            // The state was found to be right, so it is the machine that has not the memory now.
            tracing::warn!(room_id, error = format!("{error:#}"), "a room can't be restored now");
            RestoreFailure::Full
        })?;
        Ok(WasmHost::of(factory, awake))
    }

    /// A digest of all that the future of this room rests on, awake or asleep: its memory and
    /// globals, its clock and its randomness, and its limits of memory and table. Two rooms of a module that are in the same state have
    /// the same one. `None` once the room has failed, and for a room that can't sleep.
    ///
    /// It takes about a millisecond for each megabyte that differs from what rooms start with.
    pub fn state_digest(&mut self) -> Option<[u8; 32]> {
        let snapshot = self.snapshot().ok()??;
        let mut bytes = snapshot.encode();
        let host = self.host()?;
        saved_state::encode_source(&host.source, &mut bytes);
        saved_state::encode_limits(host.bounds.limits(), &mut bytes);
        Some(Sha256::digest(bytes).into())
    }

    fn host(&self) -> Option<&HostState> {
        match &self.state {
            State::Awake(awake) => Some(awake.store.data()),
            State::Asleep(asleep) => Some(&asleep.host),
            State::Ended => None,
        }
    }

    /// The state to be saved, unless the room has failed or can't be saved.
    pub(super) fn state_as_it_is(&mut self) -> Option<SavedState> {
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

    /// Has the guest tell its state, and goes back to what was before.
    pub(super) fn tell_state(&mut self) -> Result<Vec<u8>, ServiceFailure> {
        let kept = match &self.state {
            State::Asleep(asleep) => Some(asleep.kept.form()),
            State::Awake(_) | State::Ended => None,
        };
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
        let told = awake.hand_over().map_err(|error| failure::of(&error, awake.store.data()));
        match (before, &told) {
            (Ok(before), _) => {
                let (mut asleep, place) = awake.go_back(before);
                let was_awake = kept.is_none();
                if let Some(kept) = kept {
                    // It is the same, and may have been compressed.
                    asleep.kept = Kept::again(kept);
                }
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
}
