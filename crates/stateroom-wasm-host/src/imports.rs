//! The functions of the modules `env` and `stateroom_v1` that a guest can call: what it sends, the timer it sets,
//! whom it closes, and who is there.

use crate::{fault::Fault, generation_0_4, host_state::HostState, memory::GuestMemory};
use stateroom::{ClientId, MessageRecipient, is_close_code};
use wasmtime::{Caller, Linker};

/// The import module that holds these functions.
pub(crate) const MODULE: &str = "env";

/// The import module that holds those that came later, which a module has only if it uses them.
pub(crate) const MODULE_V1: &str = "stateroom_v1";

/// What `user` gives for a client without a user, `claim` for one without that claim, and `config` for what the settings do not say.
const NOTHING: u32 = u32::MAX;

/// Defines them. Each traps when an address or a text is wrong, or when the event has sent its fill.
pub(crate) fn define(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    linker.func_wrap(MODULE, "send_message", send_message)?;
    linker.func_wrap(MODULE, "send_binary", send_binary)?;
    linker.func_wrap(MODULE, "set_timer", set_timer)?;
    linker.func_wrap(MODULE, "stateroom_send", stateroom_send)?;
    linker.func_wrap(MODULE_V1, "close", close)?;
    linker.func_wrap(MODULE_V1, "clients", clients)?;
    linker.func_wrap(MODULE_V1, "user", user)?;
    linker.func_wrap(MODULE_V1, "claim", claim)?;
    linker.func_wrap(MODULE_V1, "config", config)?;
    Ok(())
}

fn close(
    mut caller: Caller<'_, HostState>,
    client: u32,
    code: u32,
    pointer: u32,
    length: u32,
) -> wasmtime::Result<()> {
    let (memory, state) = GuestMemory::of(&mut caller)?;
    state.count_command(length as usize)?;
    let reason = memory.text(pointer, length)?;
    let code = u16::try_from(code).ok().filter(|code| is_close_code(*code));
    state.context.close(ClientId(client), code.ok_or(Fault::BadCloseCode)?, reason);
    Ok(())
}

/// Writes the ids of the clients, as far as there is a place for them, and tells how many there are.
fn clients(mut caller: Caller<'_, HostState>, pointer: u32, places: u32) -> wasmtime::Result<u32> {
    let (mut memory, state) = GuestMemory::of(&mut caller)?;
    let clients = state.context.clients();
    let ids: Vec<_> =
        clients.iter().take(places as usize).map(|client| client.0.to_le_bytes()).collect();
    let bytes = ids.as_flattened();
    memory.write(pointer, bytes.len() as u32, &[bytes])?;
    Ok(clients.len() as u32)
}

/// Writes the name of a client's user, if there is a place for the whole, and tells how long it is.
fn user(
    mut caller: Caller<'_, HostState>,
    client: u32,
    pointer: u32,
    length: u32,
) -> wasmtime::Result<u32> {
    let (mut memory, state) = GuestMemory::of(&mut caller)?;
    tell(&mut memory, state.context.user(ClientId(client)), pointer, length)
}

/// The same for a claim of the client's token, of this name.
fn claim(
    mut caller: Caller<'_, HostState>,
    client: u32,
    name: u32,
    name_length: u32,
    pointer: u32,
    length: u32,
) -> wasmtime::Result<u32> {
    let (mut memory, state) = GuestMemory::of(&mut caller)?;
    let claim = state.context.claim(ClientId(client), memory.text(name, name_length)?);
    tell(&mut memory, claim, pointer, length)
}

/// The same for what the settings of the service say by this name.
fn config(
    mut caller: Caller<'_, HostState>,
    name: u32,
    name_length: u32,
    pointer: u32,
    length: u32,
) -> wasmtime::Result<u32> {
    let (mut memory, state) = GuestMemory::of(&mut caller)?;
    let value = state.context.config(memory.text(name, name_length)?);
    tell(&mut memory, value, pointer, length)
}

/// Writes a text, if there is one and a place for the whole, and tells how long it is.
fn tell(
    memory: &mut GuestMemory<'_>,
    text: Option<String>,
    pointer: u32,
    length: u32,
) -> wasmtime::Result<u32> {
    let Some(text) = text else { return Ok(NOTHING) };
    let needed = text.len() as u32; // It is of a token or of the settings: some thousand bytes.
    if needed <= length {
        memory.write(pointer, length, &[text.as_bytes()])?;
    }
    Ok(needed)
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
