//! One room with its sockets: lets it hear what is ready, writes what it answers.
//!
//! Everything that became ready together is heard before anything is written. A room owns its
//! sockets, and knows nothing of the shard that it is on: it is given orders and keys of sockets,
//! and gives back whom it let in and whom it let go. What the files are, from the ground up:
//!
//! - `turn`: what goes into a turn and comes out of it;
//! - `kept`, `core`: the room inside, with what carries for it where it is kept;
//! - `newcomer`, `session_sockets`, `last_answers`, `offenders`, `waiting_requests`: what is known of its clients beside that;
//! - `driven`: all of these together, and how one event is heard;
//! - `due`, `write`, `sessions`, `admit`, `read`, `requests`, `rest`, `durable`, `swap`, `close`: each one thing that it does;
//! - `run`: a whole turn.

mod admit;
mod close;
mod core;
mod driven;
mod due;
mod durable;
mod kept;
mod last_answers;
mod newcomer;
mod offenders;
mod read;
mod requests;
mod rest;
mod run;
mod session_sockets;
mod sessions;
mod swap;
mod turn;
mod waiting_requests;
mod write;

pub(crate) use driven::DrivenRoom;
pub(crate) use run::{Opener, discard};
pub(crate) use turn::{Arrival, Departure, End, Leaving, Order, Ready, Turn};
