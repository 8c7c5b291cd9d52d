//! How a room comes to rest: asleep, out of memory, without those who do not come back, or forgotten.

use super::{driven::DrivenRoom, turn::Turn};
use crate::factory::RoomFactory;
use stateroom::{LeaveReason, Sleep};
use stateroom_room::{Event, RoomEnded};
use std::time::Instant;

impl<F: RoomFactory> DrivenRoom<F> {
    /// Lets the room sleep, if it is of a kind that can; it wakes by itself.
    pub(crate) fn sleep(&mut self, now: Instant) -> Sleep {
        self.sockets.shrink();
        self.newcomers.shrink_to_fit();
        self.early.shrink_to_fit();
        self.last_answers.shrink();
        self.requests.take_if(|requests| requests.is_empty());
        let Some(room) = self.core.room_mut() else { return Sleep::Asleep(None) };
        let sleep = room.sleep();
        if let (Sleep::Asleep(_), Some(kept)) = (&sleep, self.core.kept()) {
            kept.asleep_since = Some(now);
        }
        sleep
    }

    /// Has a room that has been quiet for long saved, and then dropped from memory; or forgotten, if there
    /// is nothing in it.
    pub(super) fn go_to_rest(&mut self, now: Instant) {
        let is_over = self.is_left() && now >= self.ends_when_empty_at();
        let sleeps_on = self.leaves_memory_at().is_some_and(|at| now >= at);
        let (has_newcomers, is_temporary) = (!self.newcomers.is_empty(), self.is_temporary());
        let Some(kept) = self.core.kept() else { return };
        if !(is_over || sleeps_on) || has_newcomers || kept.room.has_failed() {
            return;
        }
        let is_left = || kept.room.room().is_some_and(|room| room.member_count() == 0);
        if is_over && (!kept.room.is_worth_keeping() || (is_temporary && is_left())) {
            kept.room.forget();
            return self.submit();
        }
        if kept.room.is_saved() {
            if sleeps_on {
                kept.asleep_since = None;
                kept.room.leave_memory();
            }
        } else if kept.room.is_quiet() {
            kept.save(&self.id, &self.shared);
        }
    }

    /// Has everything that is kept of the room be forgotten, if nobody is in it and nothing is due.
    pub(super) fn be_forgotten(&mut self) {
        let is_left = self.is_empty()
            && self
                .core
                .room()
                .is_some_and(|room| room.member_count() == 0 && room.deadline().is_none());
        if let Some(kept) = self.core.kept().filter(|_| is_left) {
            tracing::info!(room = &*self.id, "the room is forgotten: nobody has come for long");
            kept.room.forget();
            self.submit();
        }
    }

    /// Lets those go who were in the room before the server ended, and have not come back.
    pub(super) fn disconnect_the_absent(
        &mut self,
        turn: &mut Turn<F>,
        now: Instant,
    ) -> Result<(), RoomEnded> {
        // A newcomer may be one of them.
        while self.newcomers.is_empty() && !self.core.is_blocked() {
            let timestamp = self.shared.clock.timestamp(now);
            let (sockets, core) = (&self.sockets, &mut self.core);
            let next = core
                .kept()
                .and_then(|kept| kept.room.next_absent(timestamp, |client| sockets.has(client)));
            let Some(client) = next else { break };
            self.hear(Event::Leave { client, reason: LeaveReason::Lost }, turn, now)?;
        }
        Ok(())
    }
}
