//! Reads what a server sends, where it lies: frames, and messages that come in several of them.

/// The largest message that is read, in bytes.
const MAX_MESSAGE: usize = 64 * 1024 * 1024;
/// The code that stands for a close frame without one (RFC 6455 §7.1.5).
const NO_CODE: u16 = 1005;

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

/// What a server sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Incoming<'a> {
    Message(&'a [u8]),
    Ping(&'a [u8]),
    Close {
        code: u16,
        reason: &'a [u8],
    },
    /// Nothing to act on: a pong, or a fragment that is not the last.
    Nothing,
}

/// Holds the fragments of a message whose last has not come yet.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    inside: bool,
    fragments: Vec<u8>,
}

impl Frames {
    /// What the frame means that `bytes` start with, and how long it is; `None` while its end has not
    /// come.
    #[inline]
    pub(crate) fn next<'a>(
        &'a mut self,
        bytes: &'a [u8],
    ) -> Result<Option<(Incoming<'a>, usize)>, ProtocolError> {
        let Some((&[first, second], rest)) = bytes.split_first_chunk() else { return Ok(None) };
        let (length, header) = match second {
            0..126 => (usize::from(second), 2),
            126 => {
                let Some(length) = rest.first_chunk() else { return Ok(None) };
                (usize::from(u16::from_be_bytes(*length)), 4)
            }
            127 => {
                let Some(length) = rest.first_chunk() else { return Ok(None) };
                (usize::try_from(u64::from_be_bytes(*length)).unwrap_or(usize::MAX), 10)
            }
            _ => return Err(ProtocolError::Masked),
        };
        if first & 0x70 != 0 {
            return Err(ProtocolError::ReservedBit);
        }
        if length > MAX_MESSAGE {
            return Err(ProtocolError::TooLarge);
        }
        if first & 0x08 != 0 && (first & 0x80 == 0 || length > 125) {
            return Err(ProtocolError::BadControl);
        }
        let end = header + length;
        let Some(payload) = bytes.get(header..end) else { return Ok(None) };
        let incoming = match first {
            0x81 | 0x82 if !self.inside => Incoming::Message(payload),
            0x00..0x03 | 0x80..0x83 => self.fragment(first, payload)?,
            0x88 => match *payload {
                [] => Incoming::Close { code: NO_CODE, reason: &[] },
                [_] => return Err(ProtocolError::BadClose),
                [high, low, ref reason @ ..] => {
                    Incoming::Close { code: u16::from_be_bytes([high, low]), reason }
                }
            },
            0x89 => Incoming::Ping(payload),
            0x8A => Incoming::Nothing,
            _ => return Err(ProtocolError::UnknownOpcode),
        };
        Ok(Some((incoming, end)))
    }

    #[cold]
    fn fragment(&mut self, first: u8, payload: &[u8]) -> Result<Incoming<'_>, ProtocolError> {
        match (first & 0x0F != 0, self.inside) {
            (true, true) => return Err(ProtocolError::MessageInMessage),
            (false, false) => return Err(ProtocolError::StrayContinuation),
            (true, false) => self.fragments.clear(),
            (false, true) => {}
        }
        if self.fragments.len() + payload.len() > MAX_MESSAGE {
            return Err(ProtocolError::TooLarge);
        }
        self.fragments.extend_from_slice(payload);
        self.inside = first & 0x80 == 0;
        Ok(if self.inside { Incoming::Nothing } else { Incoming::Message(&self.fragments) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_every_length_are_read_only_once_they_are_whole() {
        for length in [0_usize, 125, 126, 65_535, 65_536] {
            let mut bytes = vec![0x81];
            match length {
                0..=125 => bytes.push(length as u8),
                126..=65_535 => bytes.extend([126, (length >> 8) as u8, length as u8]),
                _ => bytes.extend([127, 0, 0, 0, 0, 0, (length >> 16) as u8, 0, 0]),
            }
            let header = bytes.len();
            bytes.extend(vec![b'x'; length]);
            let whole = bytes.len();
            for short in [0, 1, header - 1, whole - 1] {
                assert_eq!(Frames::default().next(&bytes[..short]), Ok(None), "{length} {short}");
            }
            bytes.extend(b"next");
            let message = Incoming::Message(&bytes[header..whole]);
            assert_eq!(Frames::default().next(&bytes), Ok(Some((message, whole))));
        }
    }

    #[test]
    fn what_a_server_must_not_send_is_refused() {
        for (bytes, error) in [
            (&[0xC1, 0][..], ProtocolError::ReservedBit),
            (&[0x83, 0], ProtocolError::UnknownOpcode),
            (&[0x81, 0x80], ProtocolError::Masked),
            (&[0x09, 0], ProtocolError::BadControl),
            (&[0x89, 126, 0, 200], ProtocolError::BadControl),
            (&[0x82, 127, 0, 0, 0, 1, 0, 0, 0, 0], ProtocolError::TooLarge),
            (&[0x80, 0], ProtocolError::StrayContinuation),
            (&[0x88, 1, 3], ProtocolError::BadClose),
        ] {
            assert_eq!(Frames::default().next(bytes), Err(error));
        }
        let mut frames = Frames::default();
        assert_eq!(frames.next(&[0x02, 0]), Ok(Some((Incoming::Nothing, 2))));
        assert_eq!(frames.next(&[0x81, 0]), Err(ProtocolError::MessageInMessage));
    }

    #[test]
    fn a_close_frame_tells_its_code_and_reason() {
        let close = Incoming::Close { code: 1013, reason: b"slow" };
        assert_eq!(Frames::default().next(b"\x88\x06\x03\xF5slow"), Ok(Some((close, 8))));
        let close = Incoming::Close { code: 1005, reason: b"" };
        assert_eq!(Frames::default().next(b"\x88\x00"), Ok(Some((close, 2))));
    }
}
