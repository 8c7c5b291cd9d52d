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
    Box::new(WrappedStateroomService::<S, C>::start(room_id, context))
}

/// The place of a module's service: empty until the room starts.
pub(crate) struct Room {
    service: RefCell<Option<Box<dyn StateroomService>>>,
}

impl Room {
    pub(crate) const fn not_started() -> Self {
        Room { service: RefCell::new(None) }
    }

    /// Starts the room, afresh if it had started before. When that fails it stays as it was.
    ///
    /// # Errors
    /// That of `build`.
    ///
    /// # Panics
    /// When the host calls this, by the name of `call`, from within a call of this or of
    /// [`Room::handle`].
    pub(crate) fn start<E>(
        &self,
        call: &str,
        build: impl FnOnce() -> Result<Box<dyn StateroomService>, E>,
    ) -> Result<(), E> {
        #[cfg(target_arch = "wasm32")]
        crate::printer::install();
        match self.service.try_borrow_mut() {
            Ok(mut service) => {
                *service = Some(build()?);
                Ok(())
            }
            Err(_) => panic!("the host called `{call}` in the middle of an event"),
        }
    }

    /// Hands the service an event, whose name is for the message of a panic, and gives what the
    /// `handler` does.
    ///
    /// # Panics
    /// When the room has not started, and when the host calls this from within a call of this or
    /// of [`Room::start`].
    pub(crate) fn handle<R>(
        &self,
        event: &str,
        handler: impl FnOnce(&mut dyn StateroomService) -> R,
    ) -> R {
        match self.service.try_borrow_mut().as_deref_mut() {
            Ok(Some(service)) => handler(service.as_mut()),
            Ok(None) => panic!("the host called `{event}` before `initialize`"),
            Err(_) => panic!("the host called `{event}` in the middle of another event"),
        }
    }
}
