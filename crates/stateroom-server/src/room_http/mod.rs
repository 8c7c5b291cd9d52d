//! HTTP requests to rooms, at `/rooms/{id}/...`: from what hyper has read of one to what a room answers.
//!
//! - `asked`: a request on its way to the shard of its room, and the way back;
//! - `waiting`: how many may be on their way;
//! - `read`: what a request asks for, and whether it may;
//! - `body`: what comes with it;
//! - `cross_origin`: what pages of other origins are told;
//! - `answer`: all of that, for one request.

mod answer;
mod asked;
mod body;
mod cross_origin;
mod read;
mod waiting;

pub(crate) use answer::{Abandoned, Bring, Door, answer};
pub(crate) use asked::{Asked, Outcome, Reply};
pub(crate) use read::ClientAddress;
pub(crate) use waiting::Waiting;

/// What the addresses begin with.
pub(crate) const PREFIX: &str = "/rooms/";
