//! How little many sleeping rooms take.
