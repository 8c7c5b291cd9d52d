//! The checkpoint: what is derived from the log, so that the beginning of that may go. An SQLite database.

pub(crate) mod apply;
pub(crate) mod database;
mod round;
pub(crate) mod row;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod spare;
