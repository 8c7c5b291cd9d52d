//! Reads one frame of a server, where it lies.

/// The largest message that is read, in bytes.
pub(crate) const MAX_MESSAGE: usize = 64 * 1024 * 1024;

/// How a server broke the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProtocolError {
    #[error("a reserved bit was set")]
    ReservedBit,
    #[error("an unknown type of frame")]
    UnknownOpcode,
    #[error("a frame was masked")]
    Masked,
    #[error("a control frame too long, or in fragments")]
    BadControl,
    #[error("a message was larger than 64 MiB")]
    TooLarge,
    #[error("a continuation of no message")]
    StrayContinuation,
    #[error("a message began inside another")]
    MessageInMessage,
    #[error("a close frame with half a code")]
    BadClose,
}

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

/// One frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) is_final: bool,
    pub(crate) opcode: Opcode,
    pub(crate) payload: &'a [u8],
}

/// The frame that `bytes` start with, and what follows it; `None` while its end has not come.
#[inline]
pub(crate) fn next_frame(bytes: &[u8]) -> Result<Option<(Frame<'_>, &[u8])>, ProtocolError> {
    let Some((&[first, second], rest)) = bytes.split_first_chunk() else { return Ok(None) };
    if first & 0x70 != 0 {
        return Err(ProtocolError::ReservedBit);
    }
    let opcode = match first & 0x0F {
        0x0 => Opcode::Continuation,
        0x1 => Opcode::Text,
        0x2 => Opcode::Binary,
        0x8 => Opcode::Close,
        0x9 => Opcode::Ping,
        0xA => Opcode::Pong,
        _ => return Err(ProtocolError::UnknownOpcode),
    };
    let is_final = first & 0x80 != 0;
    if second > 125 {
        return long_frame(is_final, opcode, second, rest);
    }
    if first & 0x08 != 0 && !is_final {
        return Err(ProtocolError::BadControl);
    }
    let frame = |(payload, rest)| (Frame { is_final, opcode, payload }, rest);
    Ok(rest.split_at_checked(usize::from(second)).map(frame))
}

/// A frame whose second byte is not simply its length.
fn long_frame(
    is_final: bool,
    opcode: Opcode,
    second: u8,
    rest: &[u8],
) -> Result<Option<(Frame<'_>, &[u8])>, ProtocolError> {
    if second & 0x80 != 0 {
        return Err(ProtocolError::Masked);
    }
    if matches!(opcode, Opcode::Close | Opcode::Ping | Opcode::Pong) {
        return Err(ProtocolError::BadControl);
    }
    let (length, rest) = if second == 126 {
        let Some((length, rest)) = rest.split_first_chunk() else { return Ok(None) };
        (u64::from(u16::from_be_bytes(*length)), rest)
    } else {
        let Some((length, rest)) = rest.split_first_chunk() else { return Ok(None) };
        (u64::from_be_bytes(*length), rest)
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > MAX_MESSAGE {
        return Err(ProtocolError::TooLarge);
    }
    let frame = |(payload, rest)| (Frame { is_final, opcode, payload }, rest);
    Ok(rest.split_at_checked(length).map(frame))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_every_length_are_read_only_once_they_are_whole() {
        for length in [0_usize, 1, 125, 126, 127, 65_535, 65_536] {
            let mut bytes = vec![0x81];
            match length {
                0..=125 => bytes.push(length as u8),
                126..=65_535 => {
                    bytes.push(126);
                    bytes.extend((length as u16).to_be_bytes());
                }
                _ => {
                    bytes.push(127);
                    bytes.extend((length as u64).to_be_bytes());
                }
            }
            let header = bytes.len();
            bytes.extend(vec![b'x'; length]);
            for short in [0, 1, header - 1, bytes.len() - 1] {
                assert_eq!(next_frame(&bytes[..short]), Ok(None), "{length} {short}");
            }
            bytes.extend(b"next");
            let (frame, rest) = next_frame(&bytes).unwrap().unwrap();
            assert_eq!(
                (frame.payload.len(), frame.opcode, rest),
                (length, Opcode::Text, &b"next"[..])
            );
        }
    }

    #[test]
    fn what_a_server_must_not_send_is_refused() {
        assert_eq!(next_frame(&[0xC1, 0]), Err(ProtocolError::ReservedBit));
        assert_eq!(next_frame(&[0x83, 0]), Err(ProtocolError::UnknownOpcode));
        assert_eq!(next_frame(&[0x81, 0x80]), Err(ProtocolError::Masked));
        assert_eq!(next_frame(&[0x09, 0]), Err(ProtocolError::BadControl));
        assert_eq!(next_frame(&[0x89, 126, 0, 200]), Err(ProtocolError::BadControl));
        let huge = [0x82, 127, 0, 0, 0, 1, 0, 0, 0, 0];
        assert_eq!(next_frame(&huge), Err(ProtocolError::TooLarge));
    }
}
