//! Sessions, part by part.

mod client;
mod codec;
