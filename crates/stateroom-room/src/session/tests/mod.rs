//! Sessions, part by part.

mod codec;
