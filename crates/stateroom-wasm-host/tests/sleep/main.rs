//! Rooms that sleep and wake as if they had not.

mod many;
mod modules;
mod real_rooms;
mod refusals;
mod support;
