//! The WebSocket protocol (RFC 6455), server side, without any I/O.
//!
//! Ours rather than a crate's because a frame must be encoded once and shared by all its
//! receivers, and read in place: no crate offers both.

#[cfg(test)]
mod against_tungstenite;
mod close_code;
mod decode;
mod encode;

pub(crate) use close_code::CloseCode;
pub(crate) use decode::{Appetite, Decoder, Incoming, ProtocolError};
pub(crate) use encode::{MAX_HEADER_BYTES, encode_close, encode_data, encode_ping, encode_pong};
