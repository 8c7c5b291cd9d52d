//! WASI preview 1 with nothing of the machine: no files, arguments, environment or sockets. A guest
//! gets the time and randomness of its room's source, and what it prints goes to the log.

use crate::{fault::Fault, guest_log::Stream, host_state::HostState, memory::GuestMemory};
use std::time::{Duration, Instant};
use wasmtime::{Caller, ExternType, Linker, Module, Val};

/// The import module that holds these functions.
pub(crate) const MODULE: &str = "wasi_snapshot_preview1";

/// Random bytes that one call may ask for: 1 MiB, more than a seed needs, and little enough not to
/// keep a core from the other rooms.
const RANDOM_BYTES_PER_CALL: u32 = 1 << 20;

/// Bytes that one call prints at most: 1 MiB, for the same reason. The guest is told how far it got.
const BYTES_PER_WRITE: u32 = 1 << 20;

// The numbers are those of `errno`, `clockid` and `filetype` in WASI's witx of preview 1.
const SUCCESS: i32 = 0;
const BAD_DESCRIPTOR: i32 = 8;
const INVALID: i32 = 28;
const ILLEGAL_SEEK: i32 = 70;
const CLOCK_REALTIME: u32 = 0;
const CLOCK_MONOTONIC: u32 = 1;
const FILE_TYPE_CHARACTER_DEVICE: u8 = 2;
const RIGHT_FD_WRITE: u64 = 1 << 6;

type Answer = wasmtime::Result<i32>;

/// Defines what a guest's language runtime uses; see [`define_missing`] for the rest.
pub(crate) fn define(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    linker.func_wrap(MODULE, "args_get", |_: u32, _: u32| SUCCESS)?;
    linker.func_wrap(MODULE, "args_sizes_get", nothing_there)?;
    linker.func_wrap(MODULE, "environ_get", |_: u32, _: u32| SUCCESS)?;
    linker.func_wrap(MODULE, "environ_sizes_get", nothing_there)?;
    linker.func_wrap(MODULE, "clock_res_get", clock_res_get)?;
    linker.func_wrap(MODULE, "clock_time_get", clock_time_get)?;
    linker.func_wrap(MODULE, "random_get", random_get)?;
    linker.func_wrap(MODULE, "fd_write", fd_write)?;
    linker.func_wrap(MODULE, "fd_fdstat_get", fd_fdstat_get)?;
    linker.func_wrap(MODULE, "fd_read", |_: u32, _: u32, _: u32, _: u32| BAD_DESCRIPTOR)?;
    linker.func_wrap(
        MODULE,
        "fd_close",
        |fd: u32| if is_open(fd) { SUCCESS } else { BAD_DESCRIPTOR },
    )?;
    linker.func_wrap(
        MODULE,
        "fd_seek",
        |fd: u32, _: i64, _: u32, _: u32| {
            if is_open(fd) { ILLEGAL_SEEK } else { BAD_DESCRIPTOR }
        },
    )?;
    linker.func_wrap(MODULE, "fd_prestat_get", |_: u32, _: u32| BAD_DESCRIPTOR)?;
    linker.func_wrap(MODULE, "fd_prestat_dir_name", |_: u32, _: u32, _: u32| BAD_DESCRIPTOR)?;
    linker.func_wrap(MODULE, "sched_yield", || SUCCESS)?;
    // A room that waits would make all its clients wait.
    linker.func_wrap(MODULE, "poll_oneoff", |_: u32, _: u32, _: u32, _: u32| -> Answer {
        Err(wasmtime::Error::msg("a room cannot wait: use a timer (`set_timer`)"))
    })?;
    linker.func_wrap(MODULE, "proc_exit", |code: u32| -> wasmtime::Result<()> {
        Err(Fault::Exited(code).into())
    })?;
    Ok(())
}

/// Defines whatever else of WASI `module` imports, since a runtime imports what it never calls. To call it is
/// a trap that says what a room has not.
pub(crate) fn define_missing(linker: &mut Linker<HostState>, module: &Module) {
    for import in module.imports().filter(|import| import.module() == MODULE) {
        let ExternType::Func(signature) = import.ty() else { continue };
        let name = import.name().to_owned();
        let refuse = move |_: Caller<'_, HostState>, _: &[Val], _: &mut [Val]| {
            let lacks = lacks(&name);
            Err(wasmtime::Error::msg(format!("the service called `{MODULE}.{name}`: {lacks}")))
        };
        // It fails for what is defined already, which stays as it is.
        let _ = linker.func_new(MODULE, import.name(), signature, refuse);
    }
}

/// What a room has not, for which there is the function `name`.
fn lacks(name: &str) -> &'static str {
    match name.split('_').next() {
        Some("path" | "fd") => "a room has no files; what its fields hold is kept",
        Some("sock") => "a room has no network; its clients are all that it can talk to",
        _ => "a room has no such thing",
    }
}

fn is_open(fd: u32) -> bool {
    fd <= 2
}

fn nothing_there(mut caller: Caller<'_, HostState>, count: u32, bytes: u32) -> Answer {
    let (mut memory, _) = GuestMemory::of(&mut caller)?;
    memory.write_u32(count, 0)?;
    memory.write_u32(bytes, 0)?;
    Ok(SUCCESS)
}

fn clock_res_get(mut caller: Caller<'_, HostState>, clock: u32, resolution: u32) -> Answer {
    if clock > CLOCK_MONOTONIC {
        return Ok(INVALID);
    }
    GuestMemory::of(&mut caller)?.0.write_u64(resolution, 1)?;
    Ok(SUCCESS)
}

fn clock_time_get(
    mut caller: Caller<'_, HostState>,
    clock: u32,
    _precision: u64,
    time: u32,
) -> Answer {
    let (mut memory, state) = GuestMemory::of(&mut caller)?;
    let now = match clock {
        CLOCK_REALTIME => state.source.wall_clock(),
        CLOCK_MONOTONIC => state.source.monotonic_clock(),
        _ => return Ok(INVALID),
    };
    memory.write_u64(time, nanoseconds(now))?;
    Ok(SUCCESS)
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn random_get(mut caller: Caller<'_, HostState>, pointer: u32, length: u32) -> Answer {
    if length > RANDOM_BYTES_PER_CALL {
        return Ok(INVALID);
    }
    let (mut memory, state) = GuestMemory::of(&mut caller)?;
    state.source.random(memory.bytes_mut(pointer, length)?);
    Ok(SUCCESS)
}

fn fd_write(
    mut caller: Caller<'_, HostState>,
    fd: u32,
    buffers: u32,
    count: u32,
    written: u32,
) -> Answer {
    let stream = match fd {
        1 => Stream::Out,
        2 => Stream::Error,
        _ => return Ok(BAD_DESCRIPTOR),
    };
    let now = Instant::now();
    let (mut memory, state) = GuestMemory::of(&mut caller)?;
    let mut total = 0;
    // The list is an array of pairs: address and length. Empty ones count a little, so that a long
    // list of them ends, too.
    for buffer in 0..count.min(BYTES_PER_WRITE / 1024) {
        let at = buffers.saturating_add(buffer * 8);
        let (pointer, length) = (memory.read_u32(at)?, memory.read_u32(at.saturating_add(4))?);
        let printed = memory.bytes(pointer, length)?;
        let now_printed = &printed[..printed.len().min((BYTES_PER_WRITE - total) as usize)];
        state.log.print(stream, now_printed, now);
        total += now_printed.len() as u32;
    }
    memory.write_u32(written, total)?;
    Ok(SUCCESS)
}

fn fd_fdstat_get(mut caller: Caller<'_, HostState>, fd: u32, stat: u32) -> Answer {
    if !is_open(fd) {
        return Ok(BAD_DESCRIPTOR);
    }
    let (mut memory, _) = GuestMemory::of(&mut caller)?;
    // `fdstat`: file type, padding, flags, padding, rights, rights that are inherited.
    let mut record = [0; 24];
    record[0] = FILE_TYPE_CHARACTER_DEVICE;
    record[8..16].copy_from_slice(&RIGHT_FD_WRITE.to_le_bytes());
    memory.write(stat, 24, &[&record])?;
    Ok(SUCCESS)
}
