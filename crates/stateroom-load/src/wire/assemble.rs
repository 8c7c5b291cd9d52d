//! From frames to messages: joins the fragments of those that come in several frames.

use super::{
    Opcode, ProtocolError,
    frame::{Frame, MAX_MESSAGE},
};

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

/// The code that stands for a close frame without one (RFC 6455 §7.1.5).
const NO_CODE: u16 = 1005;

/// Holds the fragments of a message whose last has not come yet.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    inside: bool,
    fragments: Vec<u8>,
}

impl Assembler {
    /// What `frame` means after those before it.
    #[inline]
    pub(crate) fn take<'a>(&'a mut self, frame: Frame<'a>) -> Result<Incoming<'a>, ProtocolError> {
        match frame.opcode {
            Opcode::Text | Opcode::Binary if frame.is_final && !self.inside => {
                Ok(Incoming::Message(frame.payload))
            }
            Opcode::Text | Opcode::Binary | Opcode::Continuation => self.fragment(frame),
            Opcode::Ping => Ok(Incoming::Ping(frame.payload)),
            Opcode::Pong => Ok(Incoming::Nothing),
            Opcode::Close => match frame.payload {
                [] => Ok(Incoming::Close { code: NO_CODE, reason: &[] }),
                [_] => Err(ProtocolError::BadClose),
                [high, low, reason @ ..] => {
                    Ok(Incoming::Close { code: u16::from_be_bytes([*high, *low]), reason })
                }
            },
        }
    }

    #[cold]
    fn fragment(&mut self, frame: Frame<'_>) -> Result<Incoming<'_>, ProtocolError> {
        let first = frame.opcode != Opcode::Continuation;
        match (first, self.inside) {
            (true, true) => return Err(ProtocolError::MessageInMessage),
            (false, false) => return Err(ProtocolError::StrayContinuation),
            (true, false) => self.fragments.clear(),
            (false, true) => {}
        }
        if self.fragments.len() + frame.payload.len() > MAX_MESSAGE {
            return Err(ProtocolError::TooLarge);
        }
        self.fragments.extend_from_slice(frame.payload);
        self.inside = !frame.is_final;
        Ok(if frame.is_final { Incoming::Message(&self.fragments) } else { Incoming::Nothing })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(is_final: bool, opcode: Opcode, payload: &[u8]) -> Frame<'_> {
        Frame { is_final, opcode, payload }
    }

    #[test]
    fn fragments_are_joined_and_a_ping_may_come_between_them() {
        let mut assembler = Assembler::default();
        for _ in 0..2 {
            let start = assembler.take(frame(false, Opcode::Text, b"one ")).unwrap();
            assert_eq!(start, Incoming::Nothing);
            let ping = assembler.take(frame(true, Opcode::Ping, b"?")).unwrap();
            assert_eq!(ping, Incoming::Ping(b"?"));
            let middle = assembler.take(frame(false, Opcode::Continuation, b"two ")).unwrap();
            assert_eq!(middle, Incoming::Nothing);
            let end = assembler.take(frame(true, Opcode::Continuation, b"three")).unwrap();
            assert_eq!(end, Incoming::Message(b"one two three"));
        }
    }

    #[test]
    fn fragments_out_of_place_are_refused() {
        let mut assembler = Assembler::default();
        let stray = assembler.take(frame(true, Opcode::Continuation, b""));
        assert_eq!(stray, Err(ProtocolError::StrayContinuation));
        assembler.take(frame(false, Opcode::Binary, b"")).unwrap();
        let inside = assembler.take(frame(true, Opcode::Text, b""));
        assert_eq!(inside, Err(ProtocolError::MessageInMessage));
    }

    #[test]
    fn a_close_frame_tells_its_code_and_reason() {
        let mut assembler = Assembler::default();
        let close = assembler.take(frame(true, Opcode::Close, b"\x03\xF5slow")).unwrap();
        assert_eq!(close, Incoming::Close { code: 1013, reason: b"slow" });
        let close = assembler.take(frame(true, Opcode::Close, b"")).unwrap();
        assert_eq!(close, Incoming::Close { code: 1005, reason: b"" });
        assert_eq!(assembler.take(frame(true, Opcode::Close, b"x")), Err(ProtocolError::BadClose));
    }
}
