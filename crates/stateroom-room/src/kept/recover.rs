//! How a kept room goes back to the moment before an event that failed.

use super::{
    failed_event::{Cause, Consequence, Failed, Retry},
    kept_room::KeptRoom,
};
use crate::{event::Event, room::Room, timestamp::Timestamp};
use stateroom::StateroomService;

impl<S: StateroomService> KeptRoom<S> {
    /// Whether an event has failed, and the room is not yet as it was before.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// What has failed, in words, while the room is not yet as it was before.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.failed.as_ref().map(|failed| &*failed.aside.reason)
    }

    /// The same in a few words, which are the same for all failures of a kind.
    #[must_use]
    pub fn failure_summary(&self) -> Option<&'static str> {
        self.failed.as_ref().map(|failed| failed.failure.summary)
    }

    /// Whether an event has failed, and all that came before it is durable: so the room can be made again
    /// of what is kept.
    #[must_use]
    pub fn is_to_be_brought_back(&self) -> bool {
        let has_submitted =
            self.room.as_ref().is_none_or(|room| room.unsubmitted() == 0 && !room.is_waiting());
        self.failed.is_some() && self.on_its_way.is_none() && self.first.is_none() && has_submitted
    }

    /// Goes on with the room as it was before the event that failed, and tells what follows for the one who
    /// caused that.
    pub fn back_again(&mut self, room: Room<S>, now: Timestamp) -> Consequence {
        let before = self.room.as_mut().map(|room| std::mem::take(&mut room.sessions));
        self.bring_in(room);
        if let (Some(room), Some(before)) = (&mut self.room, before) {
            room.sessions.go_on_after(before);
        }
        let Some(failed) = self.failed.take() else { return Consequence::None };
        let Failed { aside, cause, failure } = *failed;
        self.aside.push(aside);
        match cause {
            Cause::Message(client) if self.has_session(client) => {
                let reason = failure.summary;
                // No service hears of it, so it can't fail.
                let _ = self.handle(Event::Skip { client, reason }, now);
                Consequence::Told(client)
            }
            Cause::Message(client) => Consequence::Close(client, failure.summary),
            Cause::Connect | Cause::Ours => Consequence::None,
            Cause::Request(number) => Consequence::Unanswered(number),
            Cause::Disconnect(client) => {
                // No service hears of it, so it can't fail.
                let _ = self.handle(Event::Forget { client }, now);
                Consequence::None
            }
            Cause::Timer => {
                let deadline = self.room.as_ref().and_then(|room| room.deadline());
                let own = self.own_time(now);
                self.retry = deadline.map(|deadline| Retry::after(deadline, own));
                Consequence::None
            }
        }
    }
}
