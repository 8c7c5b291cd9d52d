//! How rooms are started: a factory builds one service per room.

use crate::{
    Birth, CodeVersion, MemoryLimits, RestoreFailure, SimpleStateroomService, StateroomContext,
    StateroomService, WrappedStateroomService,
};
use std::{convert::Infallible, fmt, marker::PhantomData, sync::Arc};

/// Builds a running service for each room that starts.
pub trait StateroomServiceFactory<C: StateroomContext> {
    /// The services this builds.
    type Service: StateroomService;
    /// Why a service could not be started.
    type Error: fmt::Debug;

    /// Starts the service of the room `room_id`, which will speak through `context`.
    ///
    /// # Errors
    /// When the service cannot start; no room exists then.
    fn build(&self, room_id: &str, context: C) -> Result<Self::Service, Self::Error>;

    /// Starts it as [`build`](StateroomServiceFactory::build) does, with the clock and the
    /// randomness that `birth` tells. Services that cannot be saved have no use for it.
    ///
    /// # Errors
    /// When the service cannot start; no room exists then.
    fn build_at(
        &self,
        room_id: &str,
        context: C,
        birth: &Birth,
    ) -> Result<Self::Service, Self::Error> {
        let _ = birth;
        self.build(room_id, context)
    }

    /// Starts a service again as [`build_at`](StateroomServiceFactory::build_at) has started it before.
    /// That passed then, so nothing that a limit on computing, commands or bytes could end is ended
    /// now, as when a service is told that it [replays](StateroomService::set_replaying). What it
    /// hears next is new until told.
    ///
    /// # Errors
    /// When the service cannot start; no room exists then.
    fn build_again(
        &self,
        room_id: &str,
        context: C,
        birth: &Birth,
    ) -> Result<Self::Service, Self::Error> {
        self.build_at(room_id, context, birth)
    }

    /// What services that are born now may use. One that is brought back has what it had, until it is
    /// [told](StateroomService::set_limits) otherwise.
    fn limits(&self) -> MemoryLimits {
        MemoryLimits::NONE
    }

    /// What services may ask for by [`config`](StateroomContext::config): a JSON object. One that is brought back has
    /// what it had, until it is told otherwise.
    fn config(&self) -> Option<Arc<str>> {
        None
    }

    /// Which code the services run.
    ///
    /// # Errors
    /// Why they can't be saved, in words for the one who wrote the service.
    fn version(&self) -> Result<CodeVersion, String> {
        Err("its services run as native code, whose state can't be saved".to_owned())
    }

    /// The code that [`version`](StateroomServiceFactory::version) names, for whoever keeps rooms: it
    /// must be there when they are brought back. `None` where services can't be saved.
    fn code(&self) -> Option<Arc<[u8]>> {
        None
    }

    /// Brings a service back, bit by bit, from what [`StateroomService::save`] told of a service of
    /// the same [`version`](StateroomServiceFactory::version). Nothing of the service runs.
    ///
    /// # Errors
    /// When `state` can't be used, or now is not the time.
    fn restore(
        &self,
        room_id: &str,
        context: C,
        state: &[u8],
    ) -> Result<Self::Service, RestoreFailure> {
        let _ = (room_id, context, state);
        Err(RestoreFailure::Unsupported)
    }

    /// Whether services of this factory [hear HTTP requests](StateroomService::request). If not, the addresses of rooms
    /// are those of pages.
    fn hears_requests(&self) -> bool {
        true
    }

    /// Whether services of this factory can [`take_over`](StateroomServiceFactory::take_over).
    fn takes_over(&self) -> bool {
        false
    }

    /// Starts a service with the state that one of other code has [handed
    /// over](StateroomService::hand_over).
    ///
    /// # Errors
    /// When it can't make use of it.
    fn take_over(
        &self,
        room_id: &str,
        context: C,
        birth: &Birth,
        state: &[u8],
    ) -> Result<Self::Service, RestoreFailure> {
        let _ = (room_id, context, birth, state);
        Err(RestoreFailure::Unsupported)
    }
}

/// A service that can be cloned is the factory of its own copies: each room starts as a clone of
/// the value given, and `new` is not called. To have `new` called, use [`SimpleServiceFactory`].
impl<C: StateroomContext, S: SimpleStateroomService + Clone> StateroomServiceFactory<C> for S {
    type Service = WrappedStateroomService<S, C>;
    type Error = Infallible;

    fn build(&self, _room_id: &str, context: C) -> Result<Self::Service, Self::Error> {
        Ok(WrappedStateroomService::new(self.clone(), context))
    }
}

/// Starts every room with [`SimpleStateroomService::new`], in this process.
///
/// ```
/// use stateroom::*;
///
/// struct Greeter(String);
///
/// impl SimpleStateroomService for Greeter {
///     fn new(room_id: &str, _: &impl StateroomContext) -> Self {
///         Greeter(format!("welcome to {room_id}"))
///     }
///     fn connect(&mut self, client: ClientId, context: &impl StateroomContext) {
///         context.send_message(client, &self.0);
///     }
/// }
///
/// let context = TestContext::new();
/// let mut room = SimpleServiceFactory::<Greeter>::new().build("lobby", &context).unwrap();
/// room.connect(ClientId(1));
/// assert_eq!(context.take(), [Sent::text(ClientId(1), "welcome to lobby")]);
/// ```
pub struct SimpleServiceFactory<S> {
    service: PhantomData<fn() -> S>,
}

impl<S: SimpleStateroomService> SimpleServiceFactory<S> {
    /// A factory of `S`.
    #[must_use]
    pub const fn new() -> Self {
        SimpleServiceFactory { service: PhantomData }
    }
}

impl<S: SimpleStateroomService> Default for SimpleServiceFactory<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: SimpleStateroomService, C: StateroomContext> StateroomServiceFactory<C>
    for SimpleServiceFactory<S>
{
    type Service = WrappedStateroomService<S, C>;
    type Error = Infallible;

    fn build(&self, room_id: &str, context: C) -> Result<Self::Service, Self::Error> {
        Ok(WrappedStateroomService::start(room_id, context))
    }
}
