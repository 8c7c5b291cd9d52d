//! How a room hears an event: what each means, and what follows when its service fails.

use crate::{
    event::Event,
    failure::{RoomEnded, panic_message},
    outbox::Mark,
    room::Room,
    timestamp::Timestamp,
    told::shared,
};
use stateroom::{ClientId, LeaveReason, ServiceFailure, StateroomService};
use std::panic::{AssertUnwindSafe, catch_unwind};

impl<S: StateroomService> Room<S> {
    /// Hears one event at the time `now`. Events about clients that are not connected mean
    /// nothing, so a driver may report a disconnect more than once; nor does a timer that is not
    /// due.
    ///
    /// # Errors
    /// When the service failed, now or earlier.
    pub fn handle(&mut self, event: Event<'_>, now: Timestamp) -> Result<(), RoomEnded> {
        if let Some(ended) = &self.ended {
            return Err(ended.clone());
        }
        if !self.concerns(event, now) {
            return Ok(());
        }
        let before = self.now;
        let now = self.advance(now);
        let mark = self.outbox.end();
        if let Err(ended) = self.hear(event, now) {
            self.outbox.take_back(mark);
            return Err(ended);
        }
        let keeps_records = self.journal.as_ref().is_some_and(|journal| journal.records_events);
        let digest = keeps_records.then(|| self.digest_since(mark));
        match (&mut self.journal, digest) {
            (Some(journal), Some(digest)) => journal.note(event, before, now, digest),
            (Some(journal), None) => journal.skip(),
            (None, _) => {}
        }
        self.note_for_sessions(event, mark);
        Ok(())
    }

    /// Has the sessions follow an event that was heard, and what it caused since `mark`.
    pub(crate) fn note_for_sessions(&mut self, event: Event<'_>, mark: Mark) {
        let at = self.journal.as_ref().map(|journal| journal.events);
        self.sessions.note(event, &self.outbox, mark, at, self.now);
    }

    /// Whether the event means anything. What does not is not in the journal either.
    pub(crate) fn concerns(&self, event: Event<'_>, now: Timestamp) -> bool {
        match event {
            Event::Connect { .. } | Event::Join { .. } => true,
            Event::Text { client, .. }
            | Event::Binary { client, .. }
            | Event::Disconnect { client }
            | Event::Leave { client, .. }
            | Event::Forget { client }
            | Event::Skip { client, .. } => self.members.contains(client),
            Event::Timer => self.deadline.is_some_and(|deadline| deadline <= now),
            Event::Claims { token, claims } => {
                self.outbox.is_news(token, self.member_with(token), claims)
            }
            Event::Configure { config } => self.outbox.config().as_deref().unwrap_or("") != config,
            Event::Limits { .. } | Event::Incarnate { .. } | Event::Request { .. } => true,
        }
    }

    /// Lets the service hear an event that concerns it.
    pub(crate) fn hear(&mut self, event: Event<'_>, now: Timestamp) -> Result<(), RoomEnded> {
        match event {
            Event::Connect { token } | Event::Join { token, .. } => self.connect(token, now),
            Event::Text { client, text } => {
                self.was_spoken_in = true;
                self.members.took_part(client);
                self.call(now, |service| service.message(client, text))
            }
            Event::Binary { client, bytes } => {
                self.was_spoken_in = true;
                self.members.took_part(client);
                self.call(now, |service| service.binary(client, bytes))
            }
            Event::Disconnect { client } => self.disconnect(client, LeaveReason::Lost, now),
            Event::Leave { client, reason } => self.disconnect(client, reason, now),
            Event::Timer => {
                self.deadline = None;
                self.call(now, StateroomService::timer)
            }
            Event::Forget { client } => {
                self.leave(client);
                Ok(())
            }
            Event::Request { number, request } => self.hear_request(number, request, now),
            Event::Claims { token, claims } => {
                let client = self.member_with(token);
                self.outbox.with(|outbox| outbox.presence.learns(token, client, claims));
                Ok(())
            }
            Event::Configure { config } => {
                self.outbox.with(|outbox| outbox.presence.config = shared(config));
                Ok(())
            }
            // The sessions follow what was heard.
            Event::Skip { .. } | Event::Incarnate { .. } => Ok(()),
            Event::Limits { limits } => {
                self.limits = limits;
                self.call(now, |service| service.set_limits(limits))
            }
        }
    }

    /// Tells what the room did since `mark` from anything else it could have done.
    pub(crate) fn digest_since(&self, mark: Mark) -> u32 {
        let deadline = self.deadline.map_or(0, Timestamp::microseconds);
        // The lower half is as good as the whole, and half as long.
        (self.outbox.digest_since(mark) ^ deadline) as u32
    }

    /// The time of an event: not before the one before it.
    pub(crate) fn advance(&mut self, now: Timestamp) -> Timestamp {
        self.now = self.now.max(now.in_whole_microseconds());
        self.now
    }

    /// Connects everyone anew, to a service that was just made.
    pub(crate) fn start_over(&mut self, now: Timestamp) {
        self.deadline = None;
        self.ended = None;
        self.take_requests(now);
        let members: Vec<ClientId> = self.members.iter().collect();
        for client in members {
            // A failure is kept, and answers the next event.
            let mark = self.outbox.end();
            if self.call(now, |service| service.connect(client)).is_err() {
                self.outbox.take_back(mark);
                break;
            }
        }
    }

    fn connect(&mut self, token: Option<&str>, now: Timestamp) -> Result<(), RoomEnded> {
        let mut inherited = None;
        if let Some(client) = token.and_then(|token| self.member_with(token)) {
            self.outbox.with(|outbox| {
                inherited = outbox.presence.claims_of(client);
                outbox.replace(client);
            });
            self.disconnect(client, LeaveReason::Replaced, now)?;
        }
        let Some(client) = self.members.join(token) else {
            return Err(self.end(ServiceFailure {
                summary: "room failed: no client ids left",
                detail: "the room has given out every client id there is".to_owned(),
            }));
        };
        self.outbox.with(|outbox| {
            outbox.open(client);
            outbox.presence.joins(client, token, inherited);
        });
        self.call(now, |service| service.connect(client))
    }

    fn disconnect(
        &mut self,
        client: ClientId,
        reason: LeaveReason,
        now: Timestamp,
    ) -> Result<(), RoomEnded> {
        if self.leave(client) {
            self.call(now, |service| service.left(client, reason))?;
        }
        Ok(())
    }

    /// Who is there with this token.
    fn member_with(&self, token: &str) -> Option<ClientId> {
        self.members.known(Some(token)).filter(|known| self.members.contains(*known))
    }

    /// Lets a client go, of whose end the service has yet to hear; `false` if it is not there.
    fn leave(&mut self, client: ClientId) -> bool {
        self.outbox.with(|outbox| outbox.presence.leaves(client));
        self.members.leave(client)
    }

    /// Lets the service hear one event, and that those have gone whom it closes, and settles what follows from it.
    pub(crate) fn call(
        &mut self,
        now: Timestamp,
        event: impl FnOnce(&mut S),
    ) -> Result<(), RoomEnded> {
        let closed = self.call_alone(now, event)?;
        self.let_go(closed, now)
    }

    /// Lets the service hear that those have gone whom it has closed, and settles what follows from that.
    pub(crate) fn let_go(
        &mut self,
        mut closed: Option<ClientId>,
        now: Timestamp,
    ) -> Result<(), RoomEnded> {
        while let Some(client) = closed {
            closed = match self.members.leave(client) {
                true => {
                    self.call_alone(now, |service| service.left(client, LeaveReason::Kicked))?
                }
                false => self.outbox.with(|outbox| outbox.next_closed()),
            };
        }
        Ok(())
    }

    /// The same without those, of whom it tells the first.
    fn call_alone(
        &mut self,
        now: Timestamp,
        event: impl FnOnce(&mut S),
    ) -> Result<Option<ClientId>, RoomEnded> {
        // After a panic the service is never called again, so its broken state is seen by nobody.
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            self.service.set_time(now.since_origin());
            event(&mut self.service);
        }));
        let failure = match outcome {
            Ok(()) => self.service.failure().cloned(),
            Err(panic) => Some(ServiceFailure {
                summary: "room failed: the service panicked",
                detail: panic_message(panic.as_ref()),
            }),
        };
        if let Some(failure) = failure {
            self.outbox.with(|outbox| outbox.forget_timer_request());
            return Err(self.end(failure));
        }
        Ok(self.take_requests(now))
    }

    fn end(&mut self, failure: ServiceFailure) -> RoomEnded {
        let ended = RoomEnded { failure };
        self.ended = Some(ended.clone());
        ended
    }
}
