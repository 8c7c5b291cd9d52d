//! What a kept room wants to be kept, and what it hears of that.

use super::kept_room::{Forgetting, Keep, KeptRoom, OnItsWay};
use crate::{room::Room, state::RoomState};
use stateroom::StateroomService;

impl<S: StateroomService> KeptRoom<S> {
    /// What is to be kept now, in order; `None` if there is nothing, or something is on its way already.
    /// All commands that there are wait until it is [`kept`](Self::kept).
    pub fn submit(&mut self) -> Option<Vec<Keep>> {
        if self.on_its_way.is_some() || !self.records_events && self.forgetting == Forgetting::No {
            return None;
        }
        let room = self.room.as_mut()?;
        let events = room.events();
        if self.forgetting != Forgetting::No {
            if self.forgetting != Forgetting::Wanted || self.saving {
                return None;
            }
            if !self.is_known {
                // Nobody has heard of it.
                self.forgetting = Forgetting::Done;
                return None;
            }
            self.forgetting = Forgetting::OnItsWay;
            self.on_its_way = Some(OnItsWay { events });
            return Some(vec![Keep::Forget]);
        }
        if self.first.is_none() && room.unsubmitted() == 0 && self.aside.is_empty() {
            return None;
        }
        let records = room.submit()?;
        self.pace.recorded(records.bytes.len());
        let mut keeps = Vec::with_capacity(1);
        if let Some(first) = self.first.take() {
            (self.saved, self.is_known) = (Some(first.at), true);
            keeps.push(Keep::State(first));
        }
        if records.events > 0 {
            keeps.push(Keep::Records(records));
        }
        keeps.extend(self.aside.drain(..).map(Keep::SetAside));
        self.on_its_way = Some(OnItsWay { events });
        Some(keeps)
    }

    /// Says that what was submitted is durable.
    pub fn kept(&mut self) {
        let Some(OnItsWay { events }) = self.on_its_way.take() else { return };
        if self.forgetting == Forgetting::OnItsWay {
            self.forgetting = Forgetting::Done;
            return;
        }
        self.durable = events;
        if let Some(room) = &mut self.room {
            room.commit();
        }
    }

    /// Whether a state should be [taken](Self::take_state) now, for what it would cost to live again all
    /// since the last.
    #[must_use]
    pub fn state_is_due(&self) -> bool {
        self.records_events && self.may_save() && self.pace.is_due(self.events())
    }

    /// Whether its state can be taken: nothing that is before it has yet to be submitted.
    fn may_save(&self) -> bool {
        let has_submitted = |room: &Room<S>| !self.records_events || room.unsubmitted() == 0;
        !self.saving
            && self.first.is_none()
            && self.failed.is_none()
            && self.forgetting == Forgetting::No
            && self.room.as_ref().is_some_and(|room| has_submitted(room))
    }

    /// The room's state, to be kept after all that was submitted, and without waiting for anything. `None`
    /// if one is on its way, or it can't be saved now.
    pub fn take_state(&mut self) -> Option<RoomState> {
        if !self.may_save() {
            return None;
        }
        let state = self.room.as_mut()?.state()?;
        self.saving = true;
        self.pace.start_over(state.at);
        Some(state)
    }

    /// The room's state, for the moment before its end: it is to be kept after all that was submitted, and
    /// after a state that may be on its way. With it is kept what could not be submitted any more. `None` if
    /// it can't be saved now.
    pub fn take_last_state(&mut self) -> Option<RoomState> {
        if self.failed.is_some() || self.forgetting != Forgetting::No {
            return None;
        }
        let state = self.room.as_mut()?.state()?;
        (self.first, self.saving) = (None, true);
        self.pace.start_over(state.at);
        Some(state)
    }

    /// Says that its state after `at` events is durable.
    pub fn state_kept(&mut self, at: u64) {
        (self.saved, self.is_known) = (Some(at), true);
        self.saving = false;
    }

    /// Says that the state that was taken could not be kept, which harms nobody.
    pub fn state_not_kept(&mut self) {
        self.saving = false;
    }

    /// Whether a state is on its way.
    #[must_use]
    pub fn is_saving(&self) -> bool {
        self.saving
    }

    /// Whether nothing of the room is on its way, nor has to be.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        let nothing_new = |room: &Room<S>| !self.records_events || room.unsubmitted() == 0;
        self.on_its_way.is_none()
            && self.first.is_none()
            && self.aside.is_empty()
            && !self.saving
            && self.room.as_ref().is_none_or(|room| nothing_new(room))
    }

    /// Whether its state is kept as it is, so that it need not be in memory.
    #[must_use]
    pub fn is_saved(&self) -> bool {
        self.is_quiet() && self.failed.is_none() && self.saved == Some(self.events())
    }
}
