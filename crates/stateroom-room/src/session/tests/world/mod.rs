//! A small world: clients, connections, a server that can be killed, and what is on its disk. Everything that can
//! happen next is a [`Step`]; a step tells which promise it has broken.

mod rest;
mod server;
mod state;
mod step;
mod steps;
mod users;

pub(super) use state::{Plan, Step, World};
