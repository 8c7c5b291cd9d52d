//! What a store is opened with: what of the log counts, and the new file that it goes on in.

mod begin;
pub(crate) mod boot;
pub(crate) mod chain;
mod create;
pub(crate) mod decide;
pub(crate) mod folder;
pub(crate) mod gather;
pub(crate) mod recover;
mod walk;
