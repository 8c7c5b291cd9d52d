//! Rooms that are kept, as far as they have it in common: the way to the store, and back from it.

pub(crate) mod archive;
pub(crate) mod code;
pub(crate) mod committing;
pub(crate) mod keeper;
pub(crate) mod requests;
