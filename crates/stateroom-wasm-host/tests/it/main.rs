//! What the host promises of modules and rooms, proved from outside.

mod address_space;
mod interface;
mod isolation;
mod kinds_of_memory;
mod lifecycle;
mod limits;
mod loading;
mod log;
mod misbehaviour;
mod mutation;
mod precompiled;
mod proposals;
mod published;
#[path = "../recorder/mod.rs"]
mod recorder;
mod requests;
mod rust_guests;
mod source;
mod stack;
mod support;
mod time;
