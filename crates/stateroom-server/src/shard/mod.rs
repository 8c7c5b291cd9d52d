//! A shard: one thread's sockets and rooms.
//!
//! A room, its guest and its sockets live on one shard, which owns them all, so a message meets no
//! lock and no other thread. While a room has its turn it is taken out of the shard: should it
//! take long, the shard goes on without it on another thread (see `busy`), and the room comes back
//! as a message. What the files are, from the ground up:
//!
//! - `tiers`, `timers`: which rooms are awake, and when they have something to do;
//! - `handshaking`, `closing`, `socket_state`: what a socket is there for;
//! - `slots`, `room_turn`, `check_in`: the rooms, and one that is out for its turn;
//! - `mailbox`: what other threads tell a shard;
//! - `state`: all of these together;
//! - `sockets`, `close`, `admit`, `handshake`, `accept`, `events`: what is done for sockets;
//! - `turns`: what is done for rooms;
//! - `run`: the loop.

mod accept;
mod admit;
mod check_in;
mod close;
mod closing;
mod events;
mod handshake;
mod handshaking;
mod mailbox;
mod room_turn;
mod run;
mod slots;
mod socket_state;
mod sockets;
mod state;
mod tiers;
mod timers;
mod turns;

pub(crate) use mailbox::{Mailbox, ShardMessage};
pub(crate) use state::{Plan, Shard, Surroundings};
