//! Measures Stateroom from outside: a real server process, real sockets, a real module.

mod client;
mod latency;
mod server;

pub use client::Client;
pub use latency::{Latency, echo_latency};
pub use server::{Server, build_guest, stateroom_command};
