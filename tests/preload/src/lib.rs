//! Preloaded into a process on Linux, has its calls of the file system fail where a test asks for
//! it, or ends the process there; and shifts its clock.
//!
//! Calls are counted that change a folder or what lies in it, or that open something there. What is
//! done at which of them is said in environment variables:
//!
//! | variable `STATEROOM_FAULT_...` | is |
//! | --- | --- |
//! | `FOLDER` | the folder, as an absolute path without symbolic links; without it nothing is counted |
//! | `CALL` | at which call, from 1; the first from there on to which `KIND` can happen |
//! | `KIND` | `eio`, `enospc`, `emfile`, `eacces`: it fails so; `short`: half is written; `torn`: half is written and the process is killed; `kill-before`, `kill-after`: it is killed before the call is carried out, or after it |
//! | `STICKY` | `1`: all calls from there on, until the file says that it is over |
//! | `FILE` | where the count is kept, for several processes one after the other (see `control.rs`) |
//! | `DELAY_FLUSH` | how many milliseconds each flush takes longer |
//! | `CLOCK_OFFSET` | how many seconds the wall clock is ahead, or behind |
//!
//! A write of a mapping and a call that does not pass through libc are not seen.
#![cfg(target_os = "linux")]

mod clock;
mod control;
mod folder;
mod hooks;
mod plan;
mod real;
mod refuse;
