//! Speaks to modules that export a function for each event: the 0.2 generation's interface, which is
//! also ours.

use crate::{
    allocator::Allocator,
    carry_over::CarryOver,
    event::Event,
    fault::Fault,
    host_state::HostState,
    lent::{LENT_BYTES, Lender, Lent},
    request::{self, Answer},
};
use stateroom::Response;
use wasmtime::{Instance, Store, TypedFunc};

/// Where an empty payload lies: any address will do except 0, which is no valid one in Rust or C.
const EMPTY: u32 = 1;

/// The functions of one instance.
pub(crate) struct NamedFunctions {
    initialize: TypedFunc<(u32, u32), ()>,
    connect: TypedFunc<u32, ()>,
    disconnect: TypedFunc<u32, ()>,
    /// Instead of that, where the module wants to know why.
    left: Option<TypedFunc<(u32, u32), ()>>,
    message: TypedFunc<(u32, u32, u32), ()>,
    binary: TypedFunc<(u32, u32, u32), ()>,
    timer: TypedFunc<(), ()>,
    payloads: Payloads,
    carry_over: Option<CarryOver>,
    answer: Option<Answer>,
}

impl NamedFunctions {
    /// Takes the functions of `instance`, which [`interface`](crate::interface) has found to be there.
    pub(crate) fn find(
        store: &mut Store<HostState>,
        instance: &Instance,
    ) -> wasmtime::Result<NamedFunctions> {
        let lender = Lender::find(store, instance);
        // A module that lends is of ours, and allocates as it should.
        let null_is_a_place = lender.is_none();
        let allocator =
            Allocator::find(store, instance, "jam_malloc", "jam_free", null_is_a_place)?;
        Ok(NamedFunctions {
            initialize: instance.get_typed_func(&mut *store, "initialize")?,
            connect: instance.get_typed_func(&mut *store, "connect")?,
            disconnect: instance.get_typed_func(&mut *store, "disconnect")?,
            left: instance.get_typed_func(&mut *store, "stateroom_v1_left").ok(),
            message: instance.get_typed_func(&mut *store, "message")?,
            binary: instance.get_typed_func(&mut *store, "binary")?,
            timer: instance.get_typed_func(&mut *store, "timer")?,
            payloads: Payloads { allocator, lender },
            carry_over: CarryOver::find(store, instance),
            answer: request::find(store, instance),
        })
    }

    /// Has the guest tell its state.
    pub(crate) fn hand_over(&self, store: &mut Store<HostState>) -> wasmtime::Result<Vec<u8>> {
        self.carry_over.as_ref().ok_or(Fault::NoCarryOver)?.hand_over(store)
    }

    /// Starts the room with the state of another.
    pub(crate) fn take_over(
        &self,
        store: &mut Store<HostState>,
        room_id: &str,
        state: &[u8],
    ) -> wasmtime::Result<()> {
        let carry_over = self.carry_over.as_ref().ok_or(Fault::NoCarryOver)?;
        carry_over.take_over(store, &self.payloads.allocator, room_id, state)
    }

    /// Has the guest answer a request, if it hears them.
    pub(crate) fn request(
        &mut self,
        store: &mut Store<HostState>,
        request: &[u8],
    ) -> wasmtime::Result<Option<Response>> {
        let NamedFunctions { payloads, answer: Some(answer), .. } = self else { return Ok(None) };
        let mut address = 0;
        payloads.pass(store, request, |store, pointer, length| {
            address = answer.call(store, (pointer, length))?;
            Ok(())
        })?;
        Ok(Some(request::told(store, address)?))
    }

    /// What the guest has lent.
    pub(crate) fn lent(&self) -> Lent {
        self.payloads.lender.as_ref().map(|lender| lender.lent).unwrap_or_default()
    }

    /// Goes on with what a guest in this state had lent.
    pub(crate) fn set_lent(&mut self, lent: Lent) {
        if let Some(lender) = &mut self.payloads.lender {
            lender.lent = lent;
        }
    }

    pub(crate) fn hear(
        &mut self,
        store: &mut Store<HostState>,
        event: Event<'_>,
    ) -> wasmtime::Result<()> {
        let NamedFunctions { initialize, message, binary, payloads, .. } = self;
        match event {
            Event::Start { room_id } => {
                payloads.pass(store, room_id.as_bytes(), |store, pointer, length| {
                    initialize.call(store, (pointer, length))
                })
            }
            Event::Connect(client) => self.connect.call(store, client.0),
            Event::Leave(client, reason) if let Some(left) = &self.left => {
                left.call(store, (client.0, reason.number()))
            }
            Event::Disconnect(client) | Event::Leave(client, _) => {
                self.disconnect.call(store, client.0)
            }
            Event::Message(client, text) => {
                payloads.pass(store, text.as_bytes(), |store, pointer, length| {
                    message.call(store, (client.0, pointer, length))
                })
            }
            Event::Binary(client, bytes) => {
                payloads.pass(store, bytes, |store, pointer, length| {
                    binary.call(store, (client.0, pointer, length))
                })
            }
            Event::Timer => self.timer.call(store, ()),
        }
    }
}

/// The ways in which a payload gets into the guest.
struct Payloads {
    allocator: Allocator,
    lender: Option<Lender>,
}

impl Payloads {
    /// Puts `payload` into the guest's memory for the time of `call`.
    fn pass(
        &mut self,
        store: &mut Store<HostState>,
        payload: &[u8],
        call: impl FnOnce(&mut Store<HostState>, u32, u32) -> wasmtime::Result<()>,
    ) -> wasmtime::Result<()> {
        if payload.is_empty() {
            return call(store, EMPTY, 0);
        }
        match &mut self.lender {
            Some(lender) if payload.len() <= LENT_BYTES => {
                let pointer = lender.put(store, payload)?;
                // At most LENT_BYTES.
                call(store, pointer, payload.len() as u32)
            }
            _ => self.allocator.pass(store, &[payload], call),
        }
    }
}
