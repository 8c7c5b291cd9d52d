//! The functions of the module `env` that a guest can call: what it sends and the timer it sets.

use crate::{fault::Fault, generation_0_4, host_state::HostState, memory::GuestMemory};
use stateroom::MessageRecipient;
use wasmtime::{Caller, Linker};

/// The import module that holds these functions.
pub(crate) const MODULE: &str = "env";

/// Defines them. Each traps when an address or a text is wrong, or when the event has sent its fill.
pub(crate) fn define(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    linker.func_wrap(MODULE, "send_message", send_message)?;
    linker.func_wrap(MODULE, "send_binary", send_binary)?;
    linker.func_wrap(MODULE, "set_timer", set_timer)?;
    linker.func_wrap(MODULE, "stateroom_send", stateroom_send)?;
    Ok(())
}

fn send_message(
    mut caller: Caller<'_, HostState>,
    recipient: i32,
    pointer: u32,
    length: u32,
) -> wasmtime::Result<()> {
    let (memory, state) = GuestMemory::of(&mut caller)?;
    state.count_command(length as usize)?;
    let message = memory.text(pointer, length)?;
    state.context.send_text(MessageRecipient::decode_i32(recipient), message);
    Ok(())
}

fn send_binary(
    mut caller: Caller<'_, HostState>,
    recipient: i32,
    pointer: u32,
    length: u32,
) -> wasmtime::Result<()> {
    let (memory, state) = GuestMemory::of(&mut caller)?;
    state.count_command(length as usize)?;
    let message = memory.bytes(pointer, length)?;
    state.context.send_binary(MessageRecipient::decode_i32(recipient), message);
    Ok(())
}

fn set_timer(mut caller: Caller<'_, HostState>, ms_delay: u32) -> wasmtime::Result<()> {
    let state = caller.data_mut();
    state.count_command(0)?;
    state.context.set_timer(ms_delay);
    Ok(())
}

/// The one import of the 0.4 generation.
fn stateroom_send(
    mut caller: Caller<'_, HostState>,
    pointer: u32,
    length: u32,
) -> wasmtime::Result<()> {
    let (memory, state) = GuestMemory::of(&mut caller)?;
    state.count_command(length as usize)?;
    let command = memory.bytes(pointer, length)?;
    generation_0_4::decode(command).map_err(Fault::BadCommand)?.carry_out(&*state.context)?;
    Ok(())
}
