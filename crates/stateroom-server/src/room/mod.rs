//! One room with its sockets: lets it hear what is ready, writes what it answers.
//!
//! Everything that became ready together is heard before anything is written. A room owns its
//! sockets, and knows nothing of the shard that it is on: it is given orders and keys of sockets,
//! and gives back whom it let in and whom it let go.

mod core;
mod driven;
mod hear;
mod kept;
mod leave;
mod offenders;
mod swap;
mod turn;

pub(crate) use driven::{DrivenRoom, Opener, discard};
pub(crate) use turn::{Arrival, Departure, End, Leaving, Order, Ready, Turn};
