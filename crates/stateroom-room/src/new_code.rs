//! How a room goes on with other code: with the state that the old service hands over, or anew.

use crate::{
    failure::{RoomEnded, StartFailure, build},
    outbox::RoomContext,
    room::Room,
    timestamp::Timestamp,
};
use stateroom::{Birth, RestoreFailure, ServiceFailure, StateroomService, StateroomServiceFactory};
use std::sync::Arc;

/// A service could not take over the state of the one before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TakeOverFailure {
    /// One of the two has not opted in to that.
    #[error(
        "{0} service does not carry its state over, as one of Rust does with `#[stateroom_wasm(carry_over)]`"
    )]
    NotOffered(&'static str),
    /// Something of the room is on its way to where it is kept, or has to be.
    #[error("something of the room has yet to be kept")]
    NotNow,
    /// The old one could not tell its state.
    #[error("the old service could not tell its state: {0}")]
    HandOver(ServiceFailure),
    /// The new one could not take it.
    #[error("the new service could not take the state of the old one: {0}")]
    TakeOver(RestoreFailure),
}

impl<S: StateroomService> Room<S> {
    /// Has a service of other code go on with the state of the one that runs. Members and timer stay, unless the
    /// new one asks for something else. A room that keeps a journal must be [saved](Room::state) next, for its
    /// journal doesn't tell of this; what the new one has sent waits for that.
    ///
    /// # Errors
    /// When they don't agree on the state; the old one goes on then as if nothing had been, unless it failed.
    pub fn take_over<F>(
        &mut self,
        factory: &F,
        room_id: &str,
        birth: &Birth,
    ) -> Result<(), TakeOverFailure>
    where
        F: StateroomServiceFactory<RoomContext, Service = S>,
    {
        if !factory.takes_over() {
            return Err(TakeOverFailure::NotOffered("the new"));
        }
        let state = match self.service.hand_over() {
            None => return Err(TakeOverFailure::NotOffered("the old")),
            Some(Err(failure)) => return Err(TakeOverFailure::HandOver(failure)),
            Some(Ok(state)) => state,
        };
        let mark = self.outbox.end();
        let told = self.outbox.told();
        self.configure(factory.config());
        let taken = build(|| factory.take_over(room_id, self.outbox.context(), birth, &state));
        let taken = taken
            .map_err(|failure| match failure {
                StartFailure::Factory(failure) => failure,
                StartFailure::Panicked(panic) => RestoreFailure::Damaged(panic),
            })
            .and_then(|service| self.go_on_with(service, Timestamp::from_origin(birth.time)));
        if let Err(failure) = taken {
            self.outbox.take_back(mark);
            self.outbox.context().tell_presence(&self.members, told);
            return Err(TakeOverFailure::TakeOver(failure));
        }
        self.changed_code(birth);
        self.sessions.note_said(&self.outbox, mark, self.now);
        Ok(())
    }

    /// Goes on with a service that has taken the state over, and carries out what it asks for: its timer, and that
    /// those have gone whom it closes. When it fails at that, the room is as it was.
    fn go_on_with(&mut self, service: S, now: Timestamp) -> Result<(), RestoreFailure> {
        let (deadline, time) = (self.deadline, self.now);
        let old = std::mem::replace(&mut self.service, service);
        let now = self.advance(now);
        let closed = self.take_requests(now);
        let members = closed.is_some().then(|| self.members.clone());
        let Err(RoomEnded { failure }) = self.let_go(closed, now) else { return Ok(()) };
        self.service = old;
        (self.deadline, self.now, self.ended) = (deadline, time, None);
        if let Some(members) = members {
            self.members = members;
        }
        Err(RestoreFailure::Failed(failure))
    }

    /// Puts a new service in the place of the running one: it starts anew, born as `birth` tells, and
    /// every member is connected to it by the id it had. A room that keeps a journal must be
    /// [saved](Room::state) next, for its journal doesn't tell of this.
    ///
    /// # Errors
    /// When the new service cannot be started; the old one goes on then, as if nothing had been.
    pub fn start_anew<F>(
        &mut self,
        factory: &F,
        room_id: &str,
        birth: &Birth,
    ) -> Result<(), StartFailure<F::Error>>
    where
        F: StateroomServiceFactory<RoomContext, Service = S>,
    {
        let now = self.advance(Timestamp::from_origin(birth.time));
        let mark = self.outbox.end();
        let before = self.configure(factory.config());
        let built = build(|| factory.build_at(room_id, self.outbox.context(), birth));
        self.service = built.inspect_err(|_| {
            self.outbox.take_back(mark);
            self.configure(before);
        })?;
        self.forget_answers();
        self.start_over(now);
        self.changed_code(birth);
        self.sessions.note_anew(&self.outbox, mark, self.now);
        Ok(())
    }

    /// Changes what the settings of the service say, and tells what they said.
    fn configure(&mut self, config: Option<Arc<str>>) -> Option<Arc<str>> {
        self.outbox.with(|outbox| std::mem::replace(&mut outbox.presence.config, config))
    }

    /// A state of before can no longer lead to this one.
    fn changed_code(&mut self, birth: &Birth) {
        self.limits = birth.limits;
        self.outbox.look();
        if let Some(journal) = &mut self.journal {
            journal.beginning = None;
        }
    }
}
