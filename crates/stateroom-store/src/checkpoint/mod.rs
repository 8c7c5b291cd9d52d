//! The checkpoint: what is derived from the log, so that the beginning of that may go. An SQLite database.

mod advance;
pub(crate) mod apply;
pub(crate) mod database;
pub(crate) mod journal;
mod large_column;
pub(crate) mod module;
pub(crate) mod quarantine;
mod round;
pub(crate) mod row;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod spare;
mod take;
