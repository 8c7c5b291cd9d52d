//! Writes frames. Server frames are not masked, so one encoding serves every receiver.

use super::CloseCode;
use bytes::BufMut;
use stateroom_room::MessageKind;

const FINAL: u8 = 0x80;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

/// The longest header of a frame, in bytes.
pub(crate) const MAX_HEADER_BYTES: usize = 10;

/// The longest payload of a control frame, in bytes (RFC 6455 §5.5).
const CONTROL_PAYLOAD: usize = 125;

/// Appends a whole message as one frame.
pub(crate) fn encode_data(kind: MessageKind, payload: &[u8], output: &mut impl BufMut) {
    let opcode = match kind {
        MessageKind::Text => TEXT,
        MessageKind::Binary => BINARY,
    };
    encode(opcode, payload, output);
}

/// A ping without payload.
pub(crate) fn encode_ping() -> Vec<u8> {
    control(PING, &[])
}

/// The answer to a ping with `payload`.
pub(crate) fn encode_pong(payload: &[u8]) -> Vec<u8> {
    control(PONG, payload)
}

/// A close frame; a reason too long for it is cut at a character. Without a code it has no payload.
pub(crate) fn encode_close(code: CloseCode, reason: &str) -> Vec<u8> {
    if code == CloseCode::NONE {
        return control(CLOSE, &[]);
    }
    let reason = &reason[..reason.floor_char_boundary(CONTROL_PAYLOAD - 2)];
    let mut payload = code.number().to_be_bytes().to_vec();
    payload.extend_from_slice(reason.as_bytes());
    control(CLOSE, &payload)
}

fn control(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut output = Vec::with_capacity(2 + payload.len());
    encode(opcode, payload, &mut output);
    output
}

fn encode(opcode: u8, payload: &[u8], output: &mut impl BufMut) {
    output.put_u8(FINAL | opcode);
    match payload.len() {
        length @ 0..=125 => output.put_u8(length as u8),
        length @ 126..=0xFFFF => {
            output.put_u8(126);
            output.put_u16(length as u16);
        }
        length => {
            output.put_u8(127);
            output.put_u64(length as u64);
        }
    }
    output.put_slice(payload);
}
