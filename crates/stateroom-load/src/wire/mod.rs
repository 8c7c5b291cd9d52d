//! The client's side of the WebSocket protocol (RFC 6455), without any I/O.
//!
//! Ours rather than a crate's because frames must be read where they lie in one large buffer, and
//! written by patching a few bytes of a frame that is masked already; and rather than the server's, which
//! it checks.

mod frames;
mod handshake;
mod mask;

pub(crate) use frames::{Frames, Incoming, ProtocolError};
pub(crate) use handshake::{HandshakeError, Key, body_of_answer, end_of_upgrade, upgrade_request};
pub(crate) use mask::{Kind, Mask, append_frame};
