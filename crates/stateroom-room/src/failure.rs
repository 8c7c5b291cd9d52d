//! How a room ends, or does not begin, through a fault of its service.

use stateroom::ServiceFailure;
use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

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

/// Makes a service, and survives its panics.
pub(crate) fn build<S, E>(build: impl FnOnce() -> Result<S, E>) -> Result<S, StartFailure<E>> {
    catch_unwind(AssertUnwindSafe(build))
        .map_err(|panic| StartFailure::Panicked(panic_message(panic.as_ref())))?
        .map_err(StartFailure::Factory)
}

pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    if let Some(message) = panic.downcast_ref::<&str>() {
        (*message).to_owned()
    } else if let Some(message) = panic.downcast_ref::<String>() {
        message.clone()
    } else {
        "a panic without a message".to_owned()
    }
}
