//! The server, seen from a real socket.

mod admission;
mod bad_clients;
mod rooms;
mod shutdown;
mod support;
