//! Keeps what rooms of many machines need to survive in PostgreSQL: a log in parts, of which each has one owner at a
//! time, and states. It knows nothing of what the bytes mean.
//!
//! What decides is in [`core`](crate::core), without sockets; `FORMAT.md` tells the rules.

pub mod core;
mod epoch;
mod in_flight;
mod lane;
mod ownership;
mod part;

pub use epoch::Epoch;
pub use in_flight::Unsettled;
pub use lane::{MAX_RECORD_BYTES, MAX_STATEMENT_BYTES};
pub use part::{PARTS, Part};
