//! What a room hears: the trait a service author implements, and the one a host calls.

use crate::{
    ClientId, LeaveReason, MemoryLimits, Request, Response, SavedState, ServiceFailure, Sleep,
    StateroomContext, Timers, timed::Timed, timers::Due,
};
use std::time::Duration;

/// A realtime room, as its author writes it.
///
/// Only [`new`](SimpleStateroomService::new) must be written. The events of one room arrive one at
/// a time and in order: a client's `connect` before its messages, its messages in the order sent,
/// its `disconnect` exactly once.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a Stateroom service",
    label = "the trait `SimpleStateroomService` is not implemented for `{Self}`",
    note = "write `impl SimpleStateroomService for {Self} {{ ... }}`; only `new` has to be in it"
)]
#[allow(unused_variables)]
pub trait SimpleStateroomService {
    /// Called when the room starts, before any client has connected.
    fn new(room_id: &str, context: &impl StateroomContext) -> Self;

    /// Called each time a client connects.
    fn connect(&mut self, client: ClientId, context: &impl StateroomContext) {}

    /// Called each time a client's connection ends, in whatever way it ended. The client can no
    /// longer be sent to.
    fn disconnect(&mut self, client: ClientId, context: &impl StateroomContext) {}

    /// Called instead of [`disconnect`](SimpleStateroomService::disconnect), which it calls unless it is written
    /// otherwise: for those who want to know why a client has left. It is not there any more, so the context knows
    /// neither its user nor its claims: keep what you need of them from `connect`.
    fn left(&mut self, client: ClientId, reason: LeaveReason, context: &impl StateroomContext) {
        self.disconnect(client, context);
    }

    /// Called for each text message from a client.
    fn message(&mut self, client: ClientId, message: &str, context: &impl StateroomContext) {}

    /// Called for each binary message from a client.
    fn binary(&mut self, client: ClientId, message: &[u8], context: &impl StateroomContext) {}

    /// Called once when the time given to [`StateroomContext::set_timer`] has passed.
    fn timer(&mut self, context: &impl StateroomContext) {}

    /// Called for each HTTP request to `/rooms/{room id}/...`. What is answered, and sent, leaves when it is as durable
    /// as messages are.
    fn request(&mut self, request: &Request, context: &impl StateroomContext) -> Response {
        Response::new(404)
    }

    /// Called once when the time given to [`StateroomContext::schedule`] with this name has passed.
    fn scheduled(&mut self, name: &str, context: &impl StateroomContext) {}

    /// Called once in new code, right after it took the room over from the code that ran before, where the service
    /// opted in to that: its fields are those that the old code told, and everybody is still connected. Here it can set
    /// timers that the old code did not know, and tell everybody. If this panics, the room is not taken over.
    fn taken_over(&mut self, context: &impl StateroomContext) {}
}

/// A running service with its context inside: what a host calls.
///
/// Implement [`SimpleStateroomService`] instead, unless the service runs somewhere else (as a
/// WebAssembly module does).
#[allow(unused_variables)]
pub trait StateroomService {
    /// Called each time a client connects.
    fn connect(&mut self, client: ClientId) {}

    /// Called each time a client's connection ends.
    fn disconnect(&mut self, client: ClientId) {}

    /// Called instead of [`disconnect`](StateroomService::disconnect), which it calls unless it is written otherwise,
    /// by hosts that know why the client has left.
    fn left(&mut self, client: ClientId, reason: LeaveReason) {
        self.disconnect(client);
    }

    /// Called for each text message from a client.
    fn message(&mut self, client: ClientId, message: &str) {}

    /// Called for each binary message from a client.
    fn binary(&mut self, client: ClientId, message: &[u8]) {}

    /// Called when the timer has run out.
    fn timer(&mut self) {}

    /// Called for each HTTP request to the room.
    fn request(&mut self, request: &Request) -> Response {
        Response::new(404)
    }

    /// Why this service can hear no more events, or `None` while it can.
    ///
    /// The host asks after each event. Once this is `Some`, the room is over.
    fn failure(&self) -> Option<&ServiceFailure> {
        None
    }

    /// Whether the service is awake. One that can't sleep always is.
    fn is_awake(&self) -> bool {
        true
    }

    /// Gives back what only a running service needs, keeping its state.
    ///
    /// A sleeping service that hears an event wakes by itself and answers as if it had never slept.
    /// But what it needs then may be used by others: see [`wake`](StateroomService::wake).
    fn sleep(&mut self) -> Sleep {
        Sleep::StaysAwake
    }

    /// Wakes the service if it sleeps; `false` if there is no room for it among those awake. It
    /// sleeps on then, unharmed, and can be woken when another has gone to sleep.
    ///
    /// A host that lets services sleep calls this before each event: an event that finds no room
    /// ends the service with a [`failure`](StateroomService::failure).
    fn wake(&mut self) -> bool {
        true
    }

    /// Tells the service what time it is, since 1970-01-01 00:00 UTC. The host does so before each
    /// event, and the service's clock stands still in between, so that an event heard again at the
    /// same time does the same again. It never goes backwards.
    fn set_time(&mut self, now: Duration) {}

    /// Tells the service what it may use from now on. What it has beyond that already, it keeps. The
    /// host tells it as an event: after the same events it is refused the same.
    fn set_limits(&mut self, limits: MemoryLimits) {}

    /// Whether the events that follow have been heard before, and passed then: nothing that a limit on
    /// computing, commands or bytes could end is ended now. Until told, they are new.
    fn set_replaying(&mut self, replaying: bool) {}

    /// The state of the service as it is now, awake or asleep; `None` if it is of a kind that can't
    /// be saved, or has failed. Whoever has it can have
    /// [`restore`](crate::StateroomServiceFactory::restore) bring the service back, bit by bit.
    fn save(&mut self) -> Option<SavedState> {
        None
    }

    /// The state of the service for code that is not its own to take over: JSON, where the service
    /// has opted in to that, `None` where not.
    ///
    /// # Errors
    /// When the service failed to tell. The state it had may be spoiled then, so that it has to be
    /// brought back from before.
    fn hand_over(&mut self) -> Option<Result<Vec<u8>, ServiceFailure>> {
        None
    }

    /// About how many bytes of memory the service holds now, beyond what all services share: a
    /// measure for which ones should sleep first. 0 where it is not known.
    fn footprint(&self) -> usize {
        0
    }
}

/// Tells the state of a service and its timers, for other code to take over.
type Tell<S> = fn(&S, &Timers) -> Result<Vec<u8>, ServiceFailure>;

/// Joins a [`SimpleStateroomService`] with a context of its own, which makes it a
/// [`StateroomService`].
pub struct WrappedStateroomService<S: SimpleStateroomService, C: StateroomContext> {
    service: S,
    context: Timed<C>,
    tell: Option<Tell<S>>,
}

impl<S: SimpleStateroomService, C: StateroomContext> WrappedStateroomService<S, C> {
    /// Joins the two.
    pub fn new(service: S, context: C) -> Self {
        WrappedStateroomService { service, context: Timed::new(context), tell: None }
    }

    /// Starts the service of the room `room_id`, with a context.
    pub fn start(room_id: &str, context: C) -> Self {
        let context = Timed::new(context);
        WrappedStateroomService { service: S::new(room_id, &context), context, tell: None }
    }

    /// Joins a service that has the state of other code with the timers of that, and tells it that it has [taken
    /// over](SimpleStateroomService::taken_over).
    pub fn taken_over(service: S, timers: Timers, context: C) -> Self {
        let mut wrapped = WrappedStateroomService::new(service, context);
        wrapped.context.go_on_with(timers);
        wrapped.service.taken_over(&wrapped.context);
        wrapped
    }

    /// Lets it [hand over](StateroomService::hand_over) what `tell` tells of the service.
    #[must_use]
    pub fn handing_over(self, tell: Tell<S>) -> Self {
        WrappedStateroomService { tell: Some(tell), ..self }
    }
}

impl<S: SimpleStateroomService, C: StateroomContext> StateroomService
    for WrappedStateroomService<S, C>
{
    fn connect(&mut self, client: ClientId) {
        self.service.connect(client, &self.context);
    }

    fn disconnect(&mut self, client: ClientId) {
        self.service.disconnect(client, &self.context);
    }

    fn left(&mut self, client: ClientId, reason: LeaveReason) {
        self.service.left(client, reason, &self.context);
    }

    fn message(&mut self, client: ClientId, message: &str) {
        self.service.message(client, message, &self.context);
    }

    fn binary(&mut self, client: ClientId, message: &[u8]) {
        self.service.binary(client, message, &self.context);
    }

    fn timer(&mut self) {
        match self.context.fire() {
            Due::Nothing => {}
            Due::Unnamed => self.service.timer(&self.context),
            Due::Named(name) => self.service.scheduled(&name, &self.context),
        }
        self.context.arm();
    }

    fn request(&mut self, request: &Request) -> Response {
        self.service.request(request, &self.context)
    }

    fn hand_over(&mut self) -> Option<Result<Vec<u8>, ServiceFailure>> {
        let tell = self.tell?;
        Some(self.context.with(|timers| tell(&self.service, timers)))
    }
}
