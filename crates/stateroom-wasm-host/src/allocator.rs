//! How a host allocates in a guest: the pair of functions that a module exports for it.

use crate::{fault::Fault, host_state::HostState, memory};
use wasmtime::{Instance, Store, TypedFunc};

/// Payloads up to this many bytes are written at address 0 for an allocator that answers 0, see
/// [`Allocator`]. It is half of the stack that a module in Rust has there.
const NULL_BYTES: u32 = 512 << 10;

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
    /// Takes the functions of `instance` that have these names. `null_is_a_place` tells whether 0 may be
    /// an answer like any other.
    pub(crate) fn find(
        store: &mut Store<HostState>,
        instance: &Instance,
        allocate: &str,
        free: &str,
        null_is_a_place: bool,
    ) -> wasmtime::Result<Allocator> {
        Ok(Allocator {
            allocate: instance.get_typed_func(&mut *store, allocate)?,
            free: instance.get_typed_func(&mut *store, free)?,
            null_is_a_place,
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
        memory::write(store, pointer, bytes, parts)?;
        call(store, pointer, bytes)?;
        self.free.call(store, (pointer, bytes))
    }
}
