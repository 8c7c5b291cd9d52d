//! Measures Stateroom from outside: a real server process, real sockets, a real module.

mod client;
mod process;
mod spin;

pub use client::Client;
pub use process::{
    Running, SERVER_CORE, Usage, build_guest, free_port, pin_this_process, stateroom_command,
};
pub use spin::spin;
