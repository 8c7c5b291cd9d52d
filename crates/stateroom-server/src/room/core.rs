//! The room inside: one that lives in memory alone, or one that is kept.

use super::kept::Kept;
use crate::{counters, factory::RoomFactory, shared::Shared};
use stateroom_room::{Command, Event, Room, RoomEnded, Timestamp};
use std::time::Instant;

/// See the [module](self).
pub(super) enum Core<F: RoomFactory> {
    Ephemeral(Box<Room<F::Service>>),
    Kept(Box<Kept<F>>),
}

impl<F: RoomFactory> Core<F> {
    pub(super) fn kept(&mut self) -> Option<&mut Kept<F>> {
        match self {
            Core::Ephemeral(_) => None,
            Core::Kept(kept) => Some(kept),
        }
    }

    /// The room, while it is in memory.
    pub(super) fn room(&self) -> Option<&Room<F::Service>> {
        match self {
            Core::Ephemeral(room) => Some(room),
            Core::Kept(kept) => kept.room.room(),
        }
    }

    pub(super) fn room_mut(&mut self) -> Option<&mut Room<F::Service>> {
        match self {
            Core::Ephemeral(room) => Some(room),
            Core::Kept(kept) => kept.room.room_mut(),
        }
    }

    /// Whether it can hear nothing now.
    pub(super) fn is_blocked(&self) -> bool {
        match self {
            Core::Ephemeral(_) => false,
            Core::Kept(kept) => kept.is_blocked(),
        }
    }

    /// When its timer fires, as the driver counts time.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        match self {
            Core::Ephemeral(room) => room.deadline(),
            Core::Kept(kept) => kept.room.deadline(),
        }
    }

    /// Lets it hear one event, and counts how long it took where that woke it, or brought it to memory.
    pub(super) fn hear(
        &mut self,
        shared: &Shared,
        id: &str,
        event: Event<'_>,
        now: Instant,
    ) -> Result<(), RoomEnded> {
        let asleep_until = (!self.is_awake()).then(Instant::now);
        let timestamp = shared.clock.timestamp(now);
        // A room is asked in each turn whether its timer fires.
        if event != Event::Timer || self.deadline().is_some_and(|deadline| deadline <= timestamp) {
            counters::add(|counters| counters.events += 1);
        }
        let outcome = match self {
            Core::Ephemeral(room) => room.handle(event, timestamp),
            Core::Kept(kept) => kept.hear(id, event, timestamp),
        };
        if let Some(start) = asleep_until.filter(|_| self.is_awake()) {
            shared.occupancy.room_woke(start.elapsed());
        }
        outcome
    }

    pub(super) fn is_awake(&self) -> bool {
        self.room().is_some_and(|room| room.is_awake())
    }

    /// Gives the commands that wait for nothing any more.
    pub(super) fn drain_commands(&mut self, carry_out: impl FnMut(Command<'_>)) {
        if let Some(room) = self.room_mut() {
            room.drain_commands(carry_out);
        }
    }

    /// How many events it has heard, and how many of those are durable. Where nothing is kept, as many.
    pub(super) fn events(&self) -> (u64, u64) {
        match self {
            Core::Ephemeral(_) => (0, 0),
            Core::Kept(kept) => (kept.room.events(), kept.room.durable_events()),
        }
    }
}
