//! The server, seen from a real socket.

mod admission;
mod awake;
mod bad_clients;
mod health;
mod identity;
mod kept;
mod limits;
mod pages;
mod panics;
mod requests;
mod rooms;
mod shutdown;
mod support;
