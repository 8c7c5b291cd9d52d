//! Sessions: clients that lose no message and get none twice, whatever happens to their sockets and to the server.
//! The server does not speak their protocol yet.
//!
//! Both sides count whole messages, and tell their counts when they connect; the messages themselves carry nothing
//! more. [`Request`], [`Up`], [`Down`] and [`Close`] are what is said, and how it is written;
//! [`client::SessionClient`] is the client's side.

pub mod client;
mod close;
mod fault;
mod frame;
mod key;
mod message;
mod number;
mod request;

pub use close::{Close, Next};
pub use frame::{Encoded, Frame};
pub use key::{Key, KeyHash};
pub use message::{Down, MAX_CONTROL_BYTES, MAX_REASON_BYTES, NoMessage, Up, Welcome};
pub use number::MAX_NUMBER;
pub use request::{Life, NoRequest, Request, SUBPROTOCOL};

#[cfg(test)]
mod tests;
