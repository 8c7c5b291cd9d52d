//! The guest in an instance, of whichever generation it is.

use crate::{
    event::Event, fault::Fault, generation_0_2::NamedFunctions, generation_0_4::EncodedMessages,
    host_state::HostState, interface::Generation, lent::Lent,
};
use stateroom::Response;
use wasmtime::{Instance, Store};

/// The functions of a guest.
pub(crate) enum Guest {
    NamedFunctions(Box<NamedFunctions>),
    EncodedMessages(Box<EncodedMessages>),
}

impl Guest {
    /// Takes the functions of `instance`, in which nothing need have run.
    pub(crate) fn find(
        store: &mut Store<HostState>,
        instance: &Instance,
        generation: Generation,
    ) -> wasmtime::Result<Guest> {
        Ok(match generation {
            Generation::NamedFunctions => {
                Guest::NamedFunctions(Box::new(NamedFunctions::find(store, instance)?))
            }
            Generation::EncodedMessages => {
                Guest::EncodedMessages(Box::new(EncodedMessages::find(store, instance)?))
            }
        })
    }

    /// Lets the guest hear one event.
    pub(crate) fn hear(
        &mut self,
        store: &mut Store<HostState>,
        event: Event<'_>,
    ) -> wasmtime::Result<()> {
        match self {
            Guest::NamedFunctions(guest) => guest.hear(store, event),
            Guest::EncodedMessages(guest) => guest.hear(store, event),
        }
    }

    /// Has the guest answer a request, if it hears them.
    pub(crate) fn request(
        &mut self,
        store: &mut Store<HostState>,
        request: &[u8],
    ) -> wasmtime::Result<Option<Response>> {
        match self {
            Guest::NamedFunctions(guest) => guest.request(store, request),
            Guest::EncodedMessages(_) => Ok(None),
        }
    }

    /// Has the guest tell its state.
    pub(crate) fn hand_over(&self, store: &mut Store<HostState>) -> wasmtime::Result<Vec<u8>> {
        match self {
            Guest::NamedFunctions(guest) => guest.hand_over(store),
            Guest::EncodedMessages(_) => Err(Fault::NoCarryOver.into()),
        }
    }

    /// Starts the room with the state of another.
    pub(crate) fn take_over(
        &self,
        store: &mut Store<HostState>,
        room_id: &str,
        state: &[u8],
    ) -> wasmtime::Result<()> {
        match self {
            Guest::NamedFunctions(guest) => guest.take_over(store, room_id, state),
            Guest::EncodedMessages(_) => Err(Fault::NoCarryOver.into()),
        }
    }

    /// What the guest has lent.
    pub(crate) fn lent(&self) -> Lent {
        match self {
            Guest::NamedFunctions(guest) => guest.lent(),
            Guest::EncodedMessages(_) => Default::default(),
        }
    }

    /// Goes on with what a guest in this state had lent.
    pub(crate) fn set_lent(&mut self, lent: Lent) {
        if let Guest::NamedFunctions(guest) = self {
            guest.set_lent(lent);
        }
    }
}
