//! How a kept room leaves memory and comes back, who is missed in it then, and how it is forgotten.

use super::kept_room::{AtRest, Forgetting, KeptRoom};
use crate::{room::Room, sessions::Sessions, timestamp::Timestamp};
use stateroom::{ClientId, StateroomService};

impl<S: StateroomService> KeptRoom<S> {
    /// Drops a room that [is saved](Self::is_saved) from memory; does nothing to any other.
    pub fn leave_memory(&mut self) {
        if self.is_saved()
            && let Some(mut room) = self.room.take()
        {
            let sessions = std::mem::take(&mut room.sessions);
            self.at_rest = AtRest { events: room.events(), deadline: room.deadline(), sessions };
        }
    }

    /// Goes on with a room that was at rest, and was made again of what is kept.
    pub fn bring_in(&mut self, mut room: Room<S>) {
        if !self.records_events {
            room.keep_no_records();
        }
        // They have gone on meanwhile.
        if let sessions @ Sessions::Live(_) = std::mem::take(&mut self.at_rest.sessions) {
            room.sessions = sessions;
        }
        self.room = Some(Box::new(room));
    }

    /// One of those who were in the room before and are to be told as having left: those who have no token
    /// to come back with, and from some time on all. `is_here` tells who is connected; whoever has come back with a
    /// session is looked after there.
    pub fn next_absent(
        &mut self,
        now: Timestamp,
        is_here: impl Fn(ClientId) -> bool,
    ) -> Option<ClientId> {
        let room = self.room.as_ref()?;
        let is_given_up = now >= self.absent_until;
        self.absent.retain(|client| !is_here(*client) && !room.has_session(*client));
        let next = self.absent.iter().position(|client| is_given_up || !room.has_token(*client));
        next.map(|place| self.absent.remove(place))
    }

    /// When all of them are given up; `None` if there are none.
    #[must_use]
    pub fn absent_until(&self) -> Option<Timestamp> {
        (!self.absent.is_empty()).then_some(self.absent_until)
    }

    /// Whether the room, which nobody is in, has anything that is worth keeping: somebody has ever said
    /// something in it, it has a timer, or somebody may come back.
    #[must_use]
    pub fn is_worth_keeping(&self) -> bool {
        self.room.as_ref().is_none_or(|room| {
            room.was_spoken_in() || room.deadline().is_some() || room.member_count() > 0
        })
    }

    /// Has everything that is kept of the room be forgotten. It hears nothing from then on. It must be in
    /// memory.
    pub fn forget(&mut self) {
        if self.forgetting == Forgetting::No && self.room.is_some() {
            self.forgetting = Forgetting::Wanted;
        }
    }

    /// Whether it is forgotten: whoever comes next gets a new room.
    #[must_use]
    pub fn is_forgotten(&self) -> bool {
        self.forgetting == Forgetting::Done
    }
}
