//! Speaks to modules that export a function for each event: the 0.2 generation's interface, which is
//! also ours.

use crate::{
    carry_over::CarryOver, event::Event, fault::Fault, host_state::HostState, memory::GuestMemory,
};
use wasmtime::{AsContextMut, Instance, Store, TypedFunc};

/// Payloads up to this many bytes go through the buffer that a guest lends; it only grows, so larger
/// ones, which are rare, are allocated and freed.
const LENT_BYTES: usize = 64 << 10;

/// The least that is borrowed at once, so that a few growing messages don't each ask anew.
const LEAST_LENT_BYTES: u32 = 1 << 10;

/// Where an empty payload lies: any address will do except 0, which is no valid one in Rust or C.
const EMPTY: u32 = 1;

/// Payloads up to this many bytes are written at address 0 for an allocator that answers 0, see
/// [`Allocator`]. It is half of the stack that a module in Rust has there.
const NULL_BYTES: u32 = 512 << 10;

/// The functions of one instance.
pub(crate) struct NamedFunctions {
    initialize: TypedFunc<(u32, u32), ()>,
    connect: TypedFunc<u32, ()>,
    disconnect: TypedFunc<u32, ()>,
    message: TypedFunc<(u32, u32, u32), ()>,
    binary: TypedFunc<(u32, u32, u32), ()>,
    timer: TypedFunc<(), ()>,
    payloads: Payloads,
    carry_over: Option<CarryOver>,
}

impl NamedFunctions {
    /// Takes the functions of `instance`, which [`check`](crate::check) has found to be there.
    pub(crate) fn find(
        store: &mut Store<HostState>,
        instance: &Instance,
    ) -> wasmtime::Result<NamedFunctions> {
        let lender = Lender::find(store, instance);
        Ok(NamedFunctions {
            initialize: instance.get_typed_func(&mut *store, "initialize")?,
            connect: instance.get_typed_func(&mut *store, "connect")?,
            disconnect: instance.get_typed_func(&mut *store, "disconnect")?,
            message: instance.get_typed_func(&mut *store, "message")?,
            binary: instance.get_typed_func(&mut *store, "binary")?,
            timer: instance.get_typed_func(&mut *store, "timer")?,
            payloads: Payloads {
                allocator: Allocator {
                    // A module that lends is of ours, and allocates as it should.
                    null_is_a_place: lender.is_none(),
                    ..Allocator::find(store, instance, "jam_malloc", "jam_free")?
                },
                lender,
            },
            carry_over: CarryOver::find(store, instance),
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
            Event::Disconnect(client) => self.disconnect.call(store, client.0),
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

/// The pair of functions with which a host allocates in a guest.
///
/// That of the published generations asks for memory of alignment 0, which is undefined behaviour:
/// some builds, those for size for instance, answer 0 for every size. The published hosts wrote the
/// payload there all the same, which is the far end of the stack in a module built by Rust, so those
/// modules worked, and have to work here. 0 is no such place when the module has just been refused
/// memory, or when the payload is so large that it may reach what the stack holds or the static data
/// behind it: then it had nothing left, and says so, rather than being quietly damaged.
pub(crate) struct Allocator {
    allocate: TypedFunc<u32, u32>,
    free: TypedFunc<(u32, u32), ()>,
    null_is_a_place: bool,
}

impl Allocator {
    pub(crate) fn find(
        store: &mut Store<HostState>,
        instance: &Instance,
        allocate: &str,
        free: &str,
    ) -> wasmtime::Result<Allocator> {
        Ok(Allocator {
            allocate: instance.get_typed_func(&mut *store, allocate)?,
            free: instance.get_typed_func(&mut *store, free)?,
            null_is_a_place: true,
        })
    }

    /// Allocates as much as `parts` take together, writes them there one after the other, calls, and
    /// frees.
    pub(crate) fn pass(
        &self,
        store: &mut Store<HostState>,
        parts: &[&[u8]],
        call: impl FnOnce(&mut Store<HostState>, u32, u32) -> wasmtime::Result<()>,
    ) -> wasmtime::Result<()> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let bytes = u32::try_from(length).map_err(|_| Fault::MessageTooLong { length })?;
        let pointer = self.allocate.call(&mut *store, bytes)?;
        let null_is_a_place =
            self.null_is_a_place && bytes <= NULL_BYTES && !store.data().bounds.memory_refused;
        if pointer == 0 && !null_is_a_place {
            return Err(Fault::NoBuffer { length: bytes }.into());
        }
        write(store, pointer, bytes, parts)?;
        call(store, pointer, bytes)?;
        self.free.call(store, (pointer, bytes))
    }
}

/// The optional function with which a guest lends a buffer, and what it has lent.
struct Lender {
    lend: TypedFunc<u32, u32>,
    lent: Lent,
}

/// A buffer in a guest's memory that is the host's. It belongs to the state of the guest: one that
/// was asked for it anew would differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Lent {
    pub(crate) pointer: u32,
    pub(crate) capacity: u32,
}

impl Lender {
    fn find(store: &mut Store<HostState>, instance: &Instance) -> Option<Lender> {
        let lend = instance.get_typed_func(&mut *store, "stateroom_v1_buffer").ok()?;
        Some(Lender { lend, lent: Lent::default() })
    }

    /// Writes `payload`, of at most [`LENT_BYTES`], into the buffer, which stays the host's until
    /// the next call of `lend`.
    fn put(&mut self, store: &mut Store<HostState>, payload: &[u8]) -> wasmtime::Result<u32> {
        let length = payload.len() as u32;
        if length > self.lent.capacity {
            // At most LENT_BYTES, which is a power of two.
            let capacity = length.next_power_of_two().max(LEAST_LENT_BYTES);
            let pointer = self.lend.call(&mut *store, capacity)?;
            if pointer == 0 {
                return Err(Fault::NoBuffer { length: capacity }.into());
            }
            self.lent = Lent { pointer, capacity };
        }
        write(store, self.lent.pointer, length, &[payload])?;
        Ok(self.lent.pointer)
    }
}

fn write(
    store: &mut Store<HostState>,
    pointer: u32,
    length: u32,
    parts: &[&[u8]],
) -> Result<(), Fault> {
    let memory = store.data().memory.ok_or(Fault::NoMemory)?;
    GuestMemory::new(memory.data_mut(store.as_context_mut())).write(pointer, length, parts)
}
