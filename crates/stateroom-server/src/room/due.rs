//! When a room has something to do that nobody will tell it, and when it is over.

use super::{core::Core, driven::DrivenRoom};
use crate::factory::RoomFactory;
use std::time::Instant;

impl<F: RoomFactory> DrivenRoom<F> {
    /// When the room has something to do that nobody will tell it.
    pub(crate) fn due(&self) -> Option<Instant> {
        let (timer, is_saving) = match &self.core {
            Core::Kept(kept) if kept.is_blocked() => (kept.looks_again_at(), kept.room.is_saving()),
            Core::Kept(kept) => (self.due_in_room(), kept.room.is_saving()),
            Core::Ephemeral(_) => (self.due_in_room(), false),
        };
        let empty = self.is_left().then(|| self.ends_when_empty_at()).filter(|_| !is_saving);
        let flush = self.sockets.has_batch().then(|| self.flushes_at());
        let answered = self.last_answers.until();
        let stall = self.sockets.stalls_at();
        [timer, empty, flush, answered, stall, self.leaves_memory_at(), self.absent_until()]
            .into_iter()
            .flatten()
            .min()
    }

    /// When its timer fires, or somebody's session has something to do.
    fn due_in_room(&self) -> Option<Instant> {
        [self.deadline(), self.sessions_deadline()].into_iter().flatten().min()
    }

    fn sessions_deadline(&self) -> Option<Instant> {
        self.core.sessions_deadline().map(|deadline| self.shared.clock.instant(deadline))
    }

    /// Whether nobody is here, and nobody may come back at any moment.
    pub(super) fn is_left(&self) -> bool {
        self.is_empty() && self.core.sessions_deadline().is_none()
    }

    /// When the room's timer fires.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.core.deadline().map(|deadline| self.shared.clock.instant(deadline))
    }

    /// When the room, which nobody is in, has something to do.
    pub(crate) fn due_when_empty(&self) -> Option<Instant> {
        [self.deadline(), self.absent_until()].into_iter().flatten().min()
    }

    /// Whether nobody has been here for so long that the room is over, or need not be in memory.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        let is_saved = match &self.core {
            Core::Kept(kept) => kept.room.is_saved(),
            Core::Ephemeral(_) => true,
        };
        self.is_left() && now >= self.ends_when_empty_at() && is_saved
    }

    pub(super) fn ends_when_empty_at(&self) -> Instant {
        if self.is_temporary() {
            return self.empty_since;
        }
        self.empty_since + self.shared.config.empty_room_timeout
    }

    /// Whether nothing of the room is to outlive those who are in it.
    pub(super) fn is_temporary(&self) -> bool {
        self.shared.config.temporary_rooms.iter().any(|rooms| rooms.has(&self.id))
    }

    /// When what waits to be written is written at the latest.
    pub(super) fn flushes_at(&self) -> Instant {
        self.last_flush + self.shared.config.flush_window
    }

    /// When a room that sleeps goes to the disk.
    pub(super) fn leaves_memory_at(&self) -> Option<Instant> {
        let Core::Kept(kept) = &self.core else { return None };
        let may_leave = kept.room.is_in_memory() && !kept.room.is_saving();
        let since = kept.asleep_since.filter(|_| may_leave)?;
        Some(since + self.shared.config.hibernate_after)
    }

    /// When those who were in the room before are given up.
    pub(super) fn absent_until(&self) -> Option<Instant> {
        match &self.core {
            Core::Kept(kept) => {
                kept.room.absent_until().map(|until| self.shared.clock.instant(until))
            }
            Core::Ephemeral(_) => None,
        }
    }
}
