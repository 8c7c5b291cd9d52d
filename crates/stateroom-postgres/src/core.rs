//! What decides, without sockets and clocks: for tests, and for whoever drives a connection by other means.

pub use crate::{
    epoch::Epoch,
    in_flight::{Ended, Heard, InFlight, Unsettled},
    lane::{Fate, Lane, NotTaken, Row},
    ownership::{Ownership, Place, State},
    part::Part,
};
