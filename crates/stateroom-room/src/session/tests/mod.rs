//! Sessions, part by part.

mod client;
mod codec;
mod host;
mod model;
