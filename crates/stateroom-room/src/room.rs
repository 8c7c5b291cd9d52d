//! The room itself: what each event means.

use crate::{
    CloseReason, Command, Event, RoomContext, Timestamp, journal::Journal, members::Members,
    outbox::Mark,
};
use stateroom::{
    ClientId, MemoryLimits, ServiceFailure, Sleep, StateroomService, StateroomServiceFactory,
};
use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// One room: a running service, its members and its timer. See the [crate] for how to drive it.
#[derive(Debug)]
pub struct Room<S> {
    pub(crate) service: S,
    pub(crate) context: RoomContext,
    pub(crate) members: Members,
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) ended: Option<RoomEnded>,
    /// When it last heard something.
    pub(crate) now: Timestamp,
    /// What the service may use.
    pub(crate) limits: MemoryLimits,
    /// Whether a client has ever sent it anything.
    pub(crate) was_spoken_in: bool,
    /// Where it is to outlive its process.
    pub(crate) journal: Option<Box<Journal>>,
}

/// The room is over: its service failed in the middle of an event. What that event had sent is
/// dropped; what came before it stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the room ended: {failure}")]
pub struct RoomEnded {
    /// What went wrong.
    pub failure: ServiceFailure,
}

/// A room could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartFailure<E> {
    /// The factory could not build the service.
    #[error("{0}")]
    Factory(E),
    /// The service's `new` panicked.
    #[error("the service panicked in `new`: {0}")]
    Panicked(String),
}

impl<S: StateroomService> Room<S> {
    /// Starts the room `room_id` at the time `now`, with nobody in it. It keeps no journal: see
    /// [`Room::found`] for one that does.
    ///
    /// # Errors
    /// When the service cannot be started.
    pub fn start<F>(
        factory: &F,
        room_id: &str,
        now: Timestamp,
    ) -> Result<Self, StartFailure<F::Error>>
    where
        F: StateroomServiceFactory<RoomContext, Service = S>,
    {
        let context = RoomContext::default();
        let service = build(|| factory.build(room_id, context.clone()))?;
        Ok(Room::with(service, context, now, factory.limits()))
    }

    /// A room with nobody in it whose service was just made.
    pub(crate) fn with(
        service: S,
        context: RoomContext,
        now: Timestamp,
        limits: MemoryLimits,
    ) -> Self {
        let now = now.in_whole_microseconds();
        let mut room = Room {
            service,
            context,
            members: Members::default(),
            deadline: None,
            ended: None,
            now,
            limits,
            was_spoken_in: false,
            journal: None,
        };
        room.take_timer_request(now);
        room
    }

    /// Connects everyone anew, to a service that was just made.
    pub(crate) fn start_over(&mut self, now: Timestamp) {
        self.deadline = None;
        self.ended = None;
        self.take_timer_request(now);
        let members: Vec<ClientId> = self.members.iter().collect();
        for client in members {
            // A failure is kept, and answers the next event.
            let mark = self.context.outbox().mark();
            if self.call(now, |service| service.connect(client)).is_err() {
                self.context.outbox().take_back(mark);
                break;
            }
        }
    }

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
        let mark = self.context.outbox().mark();
        if let Err(ended) = self.hear(event, now) {
            self.context.outbox().take_back(mark);
            return Err(ended);
        }
        let keeps_records = self.journal.as_ref().is_some_and(|journal| journal.records_events);
        let digest = keeps_records.then(|| self.digest_since(mark));
        match (&mut self.journal, digest) {
            (Some(journal), Some(digest)) => journal.note(event, before, now, digest),
            (Some(journal), None) => journal.skip(),
            (None, _) => {}
        }
        Ok(())
    }

    /// Whether the event means anything. What does not is not in the journal either.
    pub(crate) fn concerns(&self, event: Event<'_>, now: Timestamp) -> bool {
        match event {
            Event::Connect { .. } => true,
            Event::Text { client, .. }
            | Event::Binary { client, .. }
            | Event::Disconnect { client }
            | Event::Forget { client } => self.members.contains(client),
            Event::Timer => self.deadline.is_some_and(|deadline| deadline <= now),
            Event::Limits { .. } => true,
        }
    }

    /// Lets the service hear an event that concerns it.
    pub(crate) fn hear(&mut self, event: Event<'_>, now: Timestamp) -> Result<(), RoomEnded> {
        match event {
            Event::Connect { token } => self.connect(token, now),
            Event::Text { client, text } => {
                self.was_spoken_in = true;
                self.call(now, |service| service.message(client, text))
            }
            Event::Binary { client, bytes } => {
                self.was_spoken_in = true;
                self.call(now, |service| service.binary(client, bytes))
            }
            Event::Disconnect { client } => self.disconnect(client, now),
            Event::Timer => {
                self.deadline = None;
                self.call(now, StateroomService::timer)
            }
            Event::Forget { client } => {
                self.members.leave(client);
                Ok(())
            }
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
        (self.context.outbox().digest_since(mark) ^ deadline) as u32
    }

    /// The time of an event: not before the one before it.
    pub(crate) fn advance(&mut self, now: Timestamp) -> Timestamp {
        self.now = self.now.max(now.in_whole_microseconds());
        self.now
    }

    /// Gives the commands of all events since the last call, in order. Those of a room with a journal
    /// come only when it says that they may: see [`Room::commit`].
    pub fn drain_commands(&mut self, carry_out: impl FnMut(Command<'_>)) {
        let mut outbox = self.context.outbox();
        match &mut self.journal {
            Some(journal) if journal.records_events => {
                outbox.drain_to(journal.released, carry_out);
                journal.drained();
            }
            _ => {
                let end = outbox.mark();
                outbox.drain_to(end, carry_out);
            }
        }
    }

    /// How many bytes the messages that wait to be drained take. A driver that hears many events
    /// before it drains should drain earlier when this grows large.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.context.outbox().payload_bytes()
    }

    /// When [`Event::Timer`] is next due.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        self.deadline
    }

    /// When the room last heard something that concerned it; at first, when it began.
    #[must_use]
    pub fn heard_at(&self) -> Timestamp {
        self.now
    }

    /// The clients that are connected, in the order of their ids.
    pub fn members(&self) -> impl Iterator<Item = ClientId> {
        self.members.iter()
    }

    /// What the service may use.
    #[must_use]
    pub fn limits(&self) -> MemoryLimits {
        self.limits
    }

    /// Whether any client has ever sent it a message. Until then it has nothing that is worth keeping
    /// once everybody has left.
    #[must_use]
    pub fn was_spoken_in(&self) -> bool {
        self.was_spoken_in
    }

    /// How many clients are connected.
    #[must_use]
    pub fn member_count(&self) -> usize {
        self.members.len()
    }

    /// Lets the service sleep until the next event. Its members stay, and so does its deadline; a
    /// driver that has heard [`Sleep::Asleep`] may run the work that comes with it wherever it likes.
    ///
    /// A room should be drained before it sleeps, for what waits in it takes memory.
    pub fn sleep(&mut self) -> Sleep {
        if self.ended.is_some() {
            return Sleep::StaysAwake;
        }
        let sleep = self.service.sleep();
        if matches!(sleep, Sleep::Asleep(_)) {
            self.context.outbox().shrink();
            if let Some(journal) = &mut self.journal {
                journal.shrink();
            }
        }
        sleep
    }

    /// Wakes the service if it sleeps; `false` if there is no room for it among those awake now.
    /// To be called before [`Room::handle`] where rooms sleep: an event wakes a room by itself, but
    /// ends it when that cannot be.
    pub fn wake(&mut self) -> bool {
        self.service.wake()
    }

    /// Whether the service is awake.
    #[must_use]
    pub fn is_awake(&self) -> bool {
        self.service.is_awake()
    }

    /// About how many bytes the service holds; see [`StateroomService::footprint`].
    #[must_use]
    pub fn footprint(&self) -> usize {
        self.service.footprint()
    }

    fn connect(&mut self, token: Option<&str>, now: Timestamp) -> Result<(), RoomEnded> {
        if let Some(client) =
            self.members.known(token).filter(|known| self.members.contains(*known))
        {
            self.context.outbox().close(client, CloseReason::Replaced);
            self.disconnect(client, now)?;
        }
        let Some(client) = self.members.join(token) else {
            return Err(self.end(ServiceFailure {
                summary: "room failed: no client ids left",
                detail: "the room has given out every client id there is".to_owned(),
            }));
        };
        self.context.outbox().open(client);
        self.call(now, |service| service.connect(client))
    }

    fn disconnect(&mut self, client: ClientId, now: Timestamp) -> Result<(), RoomEnded> {
        if self.members.leave(client) {
            self.call(now, |service| service.disconnect(client))?;
        }
        Ok(())
    }

    /// Lets the service hear one event, and settles what follows from it.
    fn call(&mut self, now: Timestamp, event: impl FnOnce(&mut S)) -> Result<(), RoomEnded> {
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
            self.context.outbox().forget_timer_request();
            return Err(self.end(failure));
        }
        self.take_timer_request(now);
        Ok(())
    }

    fn take_timer_request(&mut self, now: Timestamp) {
        if let Some(milliseconds) = self.context.outbox().take_timer_request() {
            self.deadline = (milliseconds > 0).then(|| now.after_milliseconds(milliseconds));
        }
    }

    fn end(&mut self, failure: ServiceFailure) -> RoomEnded {
        let ended = RoomEnded { failure };
        self.ended = Some(ended.clone());
        ended
    }
}

/// Makes a service, and survives its panics.
pub(crate) fn build<S, E>(build: impl FnOnce() -> Result<S, E>) -> Result<S, StartFailure<E>> {
    catch_unwind(AssertUnwindSafe(build))
        .map_err(|panic| StartFailure::Panicked(panic_message(panic.as_ref())))?
        .map_err(StartFailure::Factory)
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    if let Some(message) = panic.downcast_ref::<&str>() {
        (*message).to_owned()
    } else if let Some(message) = panic.downcast_ref::<String>() {
        message.clone()
    } else {
        "a panic without a message".to_owned()
    }
}
