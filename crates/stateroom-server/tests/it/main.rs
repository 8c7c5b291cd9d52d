//! The server, seen from a real socket.

mod admission;
mod awake;
mod bad_clients;
mod kept;
mod panics;
mod rooms;
mod shutdown;
mod support;
