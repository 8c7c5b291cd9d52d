//! What the host promises of modules and rooms, proved from outside.

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
mod published;
#[path = "../recorder/mod.rs"]
mod recorder;
mod rust_guests;
mod source;
mod support;
mod time;
