//! Rooms that sleep and wake as if they had not.

mod many;
mod modules;
mod real_rooms;
#[path = "../recorder/mod.rs"]
mod recorder;
mod refusals;
mod support;
