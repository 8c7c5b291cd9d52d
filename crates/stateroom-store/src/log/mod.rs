//! The log: files of records, one for each group commit. It is the only truth; the checkpoint follows.

pub(crate) mod compose;
pub(crate) mod entry;
pub(crate) mod large;
pub(crate) mod layout;
pub(crate) mod scan;
pub(crate) mod segment;
pub(crate) mod writer;
