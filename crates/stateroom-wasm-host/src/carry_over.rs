//! How a guest hands its state over to other code, and takes it over: two functions that a module
//! exports when its service has opted in with `#[stateroom_wasm(carry_over)]`.
//!
//! | export | meaning |
//! | --- | --- |
//! | `stateroom_v1_hand_over() -> told` | tells the state of the service |
//! | `stateroom_v1_take_over(room_id_ptr, room_id_len, state_ptr, state_len) -> told` | starts the room with such a state, instead of `initialize`; 0 when that went well |
//!
//! What is told is the address of three `i32`: whether it is a reason for having failed (1) or the
//! state (0), and the pointer and the length of its bytes.

use crate::{allocator::Allocator, fault::Fault, host_state::HostState, memory::GuestMemory};
use wasmtime::{Instance, Module, Store, TypedFunc};

/// The names of the two functions.
pub(crate) const HAND_OVER: &str = "stateroom_v1_hand_over";
pub(crate) const TAKE_OVER: &str = "stateroom_v1_take_over";

/// Bytes of a reason that are passed on.
const REASON_BYTES: usize = 1024;

/// Whether rooms of `module` hand over and take over.
pub(crate) fn is_offered(module: &Module) -> bool {
    [HAND_OVER, TAKE_OVER].iter().all(|name| module.get_export_index(name).is_some())
}

/// The functions of one instance.
pub(crate) struct CarryOver {
    hand_over: TypedFunc<(), u32>,
    take_over: TypedFunc<(u32, u32, u32, u32), u32>,
}

impl CarryOver {
    /// Takes the functions of `instance`, if it has them.
    pub(crate) fn find(store: &mut Store<HostState>, instance: &Instance) -> Option<CarryOver> {
        Some(CarryOver {
            hand_over: instance.get_typed_func(&mut *store, HAND_OVER).ok()?,
            take_over: instance.get_typed_func(&mut *store, TAKE_OVER).ok()?,
        })
    }

    /// Has the guest tell its state.
    pub(crate) fn hand_over(&self, store: &mut Store<HostState>) -> wasmtime::Result<Vec<u8>> {
        let address = self.hand_over.call(&mut *store, ())?;
        match told(store, address)? {
            Told::State(state) => Ok(state),
            Told::Reason(reason) => Err(Fault::NotHandedOver { reason }.into()),
        }
    }

    /// Starts the room with `state`.
    pub(crate) fn take_over(
        &self,
        store: &mut Store<HostState>,
        allocator: &Allocator,
        room_id: &str,
        state: &[u8],
    ) -> wasmtime::Result<()> {
        allocator.pass(store, &[room_id.as_bytes(), state], |store, pointer, length| {
            // A part of `length`, which `pass` has found to fit.
            let id_length = room_id.len() as u32;
            let (place, rest) = (pointer.saturating_add(id_length), length - id_length);
            let address = self.take_over.call(&mut *store, (pointer, id_length, place, rest))?;
            if address == 0 {
                return Ok(());
            }
            let reason = match told(store, address)? {
                Told::Reason(reason) => reason,
                Told::State(_) => "it tells no reason".into(),
            };
            Err(Fault::NotTakenOver { reason }.into())
        })
    }
}

/// What a guest has told.
enum Told {
    State(Vec<u8>),
    Reason(String),
}

fn told(store: &mut Store<HostState>, address: u32) -> Result<Told, Fault> {
    let memory = store.data().memory.ok_or(Fault::NoMemory)?;
    let memory = GuestMemory::new(memory.data_mut(store));
    let word = |number: u32| memory.read_u32(address.saturating_add(4 * number));
    let (failed, bytes) = (word(0)?, memory.bytes(word(1)?, word(2)?)?);
    Ok(match failed {
        0 => Told::State(bytes.to_vec()),
        _ => Told::Reason(text(bytes)),
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.get(..REASON_BYTES).unwrap_or(bytes)).into_owned()
}
