//! How a guest answers an HTTP request: a function that a module exports if its rooms hear them.
//!
//! | export | meaning |
//! | --- | --- |
//! | `stateroom_v1_request(ptr, len) -> told` | answers the request that the bytes are |
//!
//! What is told is as in [`carry_over`](crate::carry_over), with the answer in the place of the state. The bytes of both are
//! those of [`Request::encode`](stateroom::Request::encode) and [`Response::encode`](stateroom::Response::encode).

use crate::{fault::Fault, host_state::HostState, memory::GuestMemory};
use stateroom::Response;
use wasmtime::{Instance, Module, Store, TypedFunc};

/// The name of the function.
pub(crate) const REQUEST: &str = "stateroom_v1_request";

/// The function of one instance.
pub(crate) type Answer = TypedFunc<(u32, u32), u32>;

/// Whether rooms of `module` hear requests.
pub(crate) fn is_offered(module: &Module) -> bool {
    module.get_export_index(REQUEST).is_some()
}

/// Takes the function of `instance`, if it has it.
pub(crate) fn find(store: &mut Store<HostState>, instance: &Instance) -> Option<Answer> {
    instance.get_typed_func(&mut *store, REQUEST).ok()
}

/// Reads the answer that a guest has told at an address. It counts as a command of the event.
pub(crate) fn told(store: &mut Store<HostState>, address: u32) -> Result<Response, Fault> {
    let handle = store.data().memory.ok_or(Fault::NoMemory)?;
    let (memory, state) = handle.data_and_store_mut(store);
    let memory = GuestMemory::new(memory);
    let word = |number: u32| memory.read_u32(address.saturating_add(4 * number));
    let (failed, pointer, length) = (word(0)?, word(1)?, word(2)?);
    state.count_command(length as usize)?;
    let bytes = memory.bytes(pointer, length)?;
    if failed != 0 {
        return Err(Fault::BadAnswer("it says that it has none"));
    }
    Response::decode(bytes).map_err(|problem| Fault::BadAnswer(problem.0))
}
