//! Rooms that sleep and wake as if they had not, and that are brought back from what was saved of
//! them, or from what they heard, or carried over to other code.

mod carry_over;
mod events;
mod limits;
mod many;
mod modules;
mod real_rooms;
#[path = "../recorder/mod.rs"]
mod recorder;
mod refusals;
mod replay;
mod saved;
mod support;
mod timers;
