//! The client's side of the WebSocket protocol (RFC 6455), without any I/O.
//!
//! Ours rather than a crate's because frames must be read where they lie in one large buffer, and
//! written by patching a few bytes of a frame that is masked already.

mod assemble;
mod frame;
mod handshake;
mod mask;

pub(crate) use assemble::{Assembler, Incoming};
pub(crate) use frame::{Opcode, ProtocolError, next_frame};
pub(crate) use handshake::{HandshakeError, Key, body_of_answer, end_of_upgrade, upgrade_request};
pub(crate) use mask::{Kind, Mask, append_frame};
