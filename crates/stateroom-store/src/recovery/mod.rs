//! What a store is opened with: what of the log counts, and the new file that it goes on in.

pub(crate) mod chain;
pub(crate) mod folder;
pub(crate) mod recover;
