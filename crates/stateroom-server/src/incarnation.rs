//! Names a room's life in memory, from when it is brought back until it is over or the process ends.

use crate::clock::time_of_day;
use stateroom_room::session::MAX_NUMBER;

/// A number that no other incarnation has.
pub(crate) fn fresh() -> u64 {
    let number = getrandom::u64().unwrap_or_else(|error| {
        tracing::error!(%error, "the system gives no randomness; incarnations are told apart by the time");
        time_of_day().as_nanos() as u64
    });
    (number & MAX_NUMBER).max(1)
}
