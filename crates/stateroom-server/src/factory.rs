//! What a server needs of the factories whose services it runs.

use stateroom_room::RoomContext;

/// What a server needs of a factory: services that can move between threads, and errors that can
/// be told. Every [`StateroomServiceFactory`](stateroom::StateroomServiceFactory) of that kind is
/// one.
pub trait RoomFactory:
    stateroom::StateroomServiceFactory<RoomContext, Service: Send, Error: std::fmt::Display>
    + Send
    + Sync
    + 'static
{
}

impl<F> RoomFactory for F
where
    F: stateroom::StateroomServiceFactory<RoomContext> + Send + Sync + 'static,
    F::Service: Send,
    F::Error: std::fmt::Display,
{
}
