//! The one room that a module is: keeps the service between events and hands it each event.

use stateroom::WrappedStateroomService;
use stateroom::{SimpleStateroomService, StateroomContext, StateroomService};
use std::cell::RefCell;

/// Starts the service `S` of the room `room_id`.
pub fn build<S, C>(room_id: &str, context: C) -> Box<dyn StateroomService>
where
    S: SimpleStateroomService + 'static,
    C: StateroomContext + 'static,
{
    let service = S::new(room_id, &context);
    Box::new(WrappedStateroomService::new(service, context))
}

/// The place of a module's service: empty until the room starts.
pub(crate) struct Room {
    service: RefCell<Option<Box<dyn StateroomService>>>,
}

impl Room {
    pub(crate) const fn not_started() -> Self {
        Room { service: RefCell::new(None) }
    }

    /// Starts the room, afresh if it had started before.
    ///
    /// # Panics
    /// When the host calls this from within a call of this or of [`Room::handle`].
    pub(crate) fn start(&self, build: impl FnOnce() -> Box<dyn StateroomService>) {
        match self.service.try_borrow_mut() {
            Ok(mut service) => *service = Some(build()),
            Err(_) => panic!("the host called `initialize` in the middle of an event"),
        }
    }

    /// Hands the service an event, whose name is for the message of a panic.
    ///
    /// # Panics
    /// When the room has not started, and when the host calls this from within a call of this or
    /// of [`Room::start`].
    pub(crate) fn handle(&self, event: &str, handler: impl FnOnce(&mut dyn StateroomService)) {
        match self.service.try_borrow_mut().as_deref_mut() {
            Ok(Some(service)) => handler(service.as_mut()),
            Ok(None) => panic!("the host called `{event}` before `initialize`"),
            Err(_) => panic!("the host called `{event}` in the middle of another event"),
        }
    }
}
