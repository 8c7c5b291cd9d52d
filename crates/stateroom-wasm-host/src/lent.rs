//! The buffer that a guest lends to its host, for the payloads of the messages to it.

use crate::{fault::Fault, host_state::HostState, memory};
use wasmtime::{Instance, Store, TypedFunc};

/// Payloads up to this many bytes go through the buffer that a guest lends; it only grows, so larger
/// ones, which are rare, are allocated and freed.
pub(crate) const LENT_BYTES: usize = 64 << 10;

/// The least that is borrowed at once, so that a few growing messages don't each ask anew.
const LEAST_LENT_BYTES: u32 = 1 << 10;

/// The optional function with which a guest lends a buffer, and what it has lent.
pub(crate) struct Lender {
    lend: TypedFunc<u32, u32>,
    pub(crate) lent: Lent,
}

/// A buffer in a guest's memory that is the host's. It belongs to the state of the guest: one that
/// was asked for it anew would differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Lent {
    pub(crate) pointer: u32,
    pub(crate) capacity: u32,
}

impl Lender {
    pub(crate) fn find(store: &mut Store<HostState>, instance: &Instance) -> Option<Lender> {
        let lend = instance.get_typed_func(&mut *store, "stateroom_v1_buffer").ok()?;
        Some(Lender { lend, lent: Lent::default() })
    }

    /// Writes `payload`, of at most [`LENT_BYTES`], into the buffer, which stays the host's until
    /// the next call of `lend`.
    pub(crate) fn put(
        &mut self,
        store: &mut Store<HostState>,
        payload: &[u8],
    ) -> wasmtime::Result<u32> {
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
        memory::write(store, self.lent.pointer, length, &[payload])?;
        Ok(self.lent.pointer)
    }
}
