//! The room itself: what each event means.

use crate::{CloseReason, Command, Event, RoomContext, Timestamp, members::Members};
use stateroom::{ClientId, ServiceFailure, Sleep, StateroomService, StateroomServiceFactory};
use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// One room: a running service, its members and its timer. See the [crate] for how to drive it.
#[derive(Debug)]
pub struct Room<S> {
    service: S,
    context: RoomContext,
    members: Members,
    deadline: Option<Timestamp>,
    ended: Option<RoomEnded>,
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
    /// Starts the room `room_id` at the time `now`, with nobody in it.
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
        let service = build(factory, room_id, &context)?;
        let mut room =
            Room { service, context, members: Members::default(), deadline: None, ended: None };
        room.take_timer_request(now);
        Ok(room)
    }

    /// Puts a new service in the place of the running one: it starts anew, and every member is
    /// connected to it by the id it had.
    ///
    /// # Errors
    /// When the new service cannot be started; the old one goes on then, as if nothing had been.
    pub fn replace_service<F>(
        &mut self,
        factory: &F,
        room_id: &str,
        now: Timestamp,
    ) -> Result<(), StartFailure<F::Error>>
    where
        F: StateroomServiceFactory<RoomContext, Service = S>,
    {
        let mark = self.context.outbox().mark();
        match build(factory, room_id, &self.context) {
            Ok(service) => self.service = service,
            Err(failure) => {
                self.context.outbox().take_back(mark);
                return Err(failure);
            }
        }
        self.deadline = None;
        self.ended = None;
        self.take_timer_request(now);
        let members: Vec<ClientId> = self.members.iter().collect();
        for client in members {
            // A failure is kept, and answers the next event.
            if self.call(now, |service| service.connect(client)).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Hears one event at the time `now`. Events about clients that are not connected mean
    /// nothing, so a driver may report a disconnect more than once.
    ///
    /// # Errors
    /// When the service failed, now or earlier.
    pub fn handle(&mut self, event: Event<'_>, now: Timestamp) -> Result<(), RoomEnded> {
        if let Some(ended) = &self.ended {
            return Err(ended.clone());
        }
        match event {
            Event::Connect { token } => self.connect(token, now),
            Event::Text { client, text } if self.members.contains(client) => {
                self.call(now, |service| service.message(client, text))
            }
            Event::Binary { client, bytes } if self.members.contains(client) => {
                self.call(now, |service| service.binary(client, bytes))
            }
            Event::Disconnect { client } => self.disconnect(client, now),
            Event::Timer if self.deadline.is_some_and(|deadline| deadline <= now) => {
                self.deadline = None;
                self.call(now, StateroomService::timer)
            }
            Event::Text { .. } | Event::Binary { .. } | Event::Timer => Ok(()),
        }
    }

    /// Gives the commands of all events since the last call, in order.
    pub fn drain_commands(&mut self, carry_out: impl FnMut(Command<'_>)) {
        self.context.outbox().drain(carry_out);
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

    /// The clients that are connected, in the order of their ids.
    pub fn members(&self) -> impl Iterator<Item = ClientId> {
        self.members.iter()
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
        let mark = self.context.outbox().mark();
        // After a panic the service is never called again, so its broken state is seen by nobody.
        let outcome = catch_unwind(AssertUnwindSafe(|| event(&mut self.service)));
        let failure = match outcome {
            Ok(()) => self.service.failure().cloned(),
            Err(panic) => Some(ServiceFailure {
                summary: "room failed: the service panicked",
                detail: panic_message(panic.as_ref()),
            }),
        };
        if let Some(failure) = failure {
            self.context.outbox().take_back(mark);
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
        self.deadline = None;
        self.ended = Some(ended.clone());
        ended
    }
}

fn build<F: StateroomServiceFactory<RoomContext>>(
    factory: &F,
    room_id: &str,
    context: &RoomContext,
) -> Result<F::Service, StartFailure<F::Error>> {
    catch_unwind(AssertUnwindSafe(|| factory.build(room_id, context.clone())))
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
