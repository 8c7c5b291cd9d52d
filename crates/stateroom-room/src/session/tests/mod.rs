//! Sessions as a whole: a small world of two clients, a server that can be killed and a disk is searched for ways in
//! which a promise is broken.

mod client;
mod codec;
mod host;
mod lockstep;
mod model;
mod page;
mod search;
mod service;
mod walks;
mod world;
