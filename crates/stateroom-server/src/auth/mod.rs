//! Who a client is: finds the token in a handshake, checks it, and tells into which rooms it leads.
//!
//! Decides from bytes, keys and a time alone; keys are loaded elsewhere.

mod admit;
mod credential;
mod keys;
mod refused;
mod rooms;
mod rules;
#[cfg(test)]
mod tests;
mod token;

pub(crate) use admit::Identity;
pub(crate) use credential::{BEARER, bearer, parameter};
pub use keys::{Keys, KeysError};
pub(crate) use refused::Refused;
pub use rules::Auth;
