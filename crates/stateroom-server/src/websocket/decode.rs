//! Reads frames: bytes in, whole messages out, unmasked where they lie.

use super::CloseCode;
use simdutf8::basic::from_utf8;
use stateroom_room::MessageKind;
use std::ops::ControlFlow;

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Incoming<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
    Ping(&'a [u8]),
    Pong,
    /// The client closes, with [`CloseCode::NONE`] where it gives no code; nothing that follows is read.
    Close(CloseCode),
}

/// How a client broke the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProtocolError {
    #[error("{0}")]
    Malformed(&'static str),
    #[error("a text message was not UTF-8")]
    InvalidText,
    #[error("a message was larger than {limit} bytes (`max_message_bytes`)")]
    TooBig { limit: usize },
    #[error(
        "all clients together have sent too much of messages that have not come whole \
         (`max_unfinished_bytes`)"
    )]
    TooMuchUnfinished,
}

impl ProtocolError {
    /// The code to close with.
    pub(crate) fn close_code(self) -> CloseCode {
        match self {
            ProtocolError::Malformed(_) => CloseCode::PROTOCOL_ERROR,
            ProtocolError::InvalidText => CloseCode::INVALID_TEXT,
            ProtocolError::TooBig { .. } => CloseCode::TOO_BIG,
            ProtocolError::TooMuchUnfinished => CloseCode::TRY_AGAIN_LATER,
        }
    }

    /// What to tell the client.
    pub(crate) fn close_reason(self) -> &'static str {
        match self {
            ProtocolError::Malformed(reason) => reason,
            ProtocolError::InvalidText => "a text message was not UTF-8",
            ProtocolError::TooBig { .. } => "the message is larger than this server takes",
            ProtocolError::TooMuchUnfinished => {
                "the server holds as many unfinished messages as it can; send it again later"
            }
        }
    }
}

/// Whether the listener takes the next message too, or first needs a pause.
pub(crate) type Appetite = ControlFlow<()>;

/// The reading side of one connection. Holds no memory while no message is half read.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    /// The start of a header or a control frame, or what a pause left unread.
    partial: Vec<u8>,
    paused: bool,
    /// What has come of a message whose end has not.
    fragments: Option<Box<Fragments>>,
    /// The frame that its last fragment is in the middle of.
    open: Option<OpenFrame>,
    closed: bool,
}

/// A frame of a message whose end has not come yet.
#[derive(Debug, Clone, Copy)]
struct OpenFrame {
    /// For the byte that comes next.
    mask: [u8; 4],
    /// How many bytes are still to come.
    remaining: usize,
    is_final: bool,
}

#[derive(Debug)]
struct Fragments {
    kind: MessageKind,
    payload: Vec<u8>,
    /// How much of a text is known to be UTF-8.
    checked: usize,
}

impl Decoder {
    /// One that reads nothing of what comes.
    pub(crate) fn closed() -> Self {
        Decoder { closed: true, ..Decoder::default() }
    }

    /// Whether the listener paused: the next bytes are then to be none at all.
    pub(crate) fn is_paused(&self) -> bool {
        self.paused
    }

    /// How many bytes of memory are taken by a message that has not come whole.
    pub(crate) fn unfinished_bytes(&self) -> usize {
        let fragments = self.fragments.as_ref().map_or(0, |fragments| fragments.payload.capacity());
        // What a pause has left unread are whole messages, of one client of a room at a time.
        fragments + if self.paused { 0 } else { self.partial.capacity() }
    }

    /// Reads `chunk`, the next bytes from the client, and tells `hear` of each message in it; none
    /// may be larger than `limit` bytes.
    pub(crate) fn decode(
        &mut self,
        chunk: &mut [u8],
        limit: usize,
        mut hear: impl FnMut(Incoming<'_>) -> Appetite,
    ) -> Result<(), ProtocolError> {
        self.paused = false;
        if self.partial.is_empty() {
            let used = self.frames(chunk, limit, &mut hear)?;
            self.partial.extend_from_slice(chunk.get(used..).unwrap_or_default());
        } else {
            let mut partial = std::mem::take(&mut self.partial);
            partial.extend_from_slice(chunk);
            let used = self.frames(&mut partial, limit, &mut hear)?;
            if used < partial.len() {
                partial.drain(..used);
                self.partial = partial;
            }
        }
        Ok(())
    }

    /// Reads the whole frames in `bytes`, and returns how many bytes they were.
    fn frames(
        &mut self,
        bytes: &mut [u8],
        limit: usize,
        hear: &mut impl FnMut(Incoming<'_>) -> Appetite,
    ) -> Result<usize, ProtocolError> {
        let mut used = 0;
        while !self.closed {
            if self.paused {
                return Ok(used);
            }
            let rest = bytes.get_mut(used..).unwrap_or_default();
            if let Some(open) = self.open.take() {
                let length = rest.len().min(open.remaining);
                self.go_on(open, rest.get_mut(..length).unwrap_or_default(), hear)?;
                used += length;
                if self.open.is_some() {
                    return Ok(used);
                }
                continue;
            }
            let Some(header) = Header::parse(rest)? else { return Ok(used) };
            self.check(&header, limit)?;
            let Some(payload) = rest.get_mut(header.length..header.length + header.payload) else {
                if !self.begin(&header) {
                    return Ok(used);
                }
                used += header.length;
                continue;
            };
            unmask(payload, header.mask);
            self.paused = self.frame(&header, payload, hear)?.is_break();
            used += header.length + header.payload;
        }
        Ok(bytes.len())
    }

    /// Begins to take a frame of a message that has not come whole; a control frame is waited for.
    fn begin(&mut self, header: &Header) -> bool {
        match header.opcode {
            Opcode::Control(_) => return false,
            Opcode::Continuation => {}
            Opcode::Data(kind) => self.fragments = Some(Box::new(Fragments::new(kind))),
        }
        let Header { mask, payload: remaining, is_final, .. } = *header;
        self.open = Some(OpenFrame { mask, remaining, is_final });
        true
    }

    /// Takes more of a frame that was begun. A text fails at the first byte that cannot be UTF-8.
    fn go_on(
        &mut self,
        mut open: OpenFrame,
        more: &mut [u8],
        hear: &mut impl FnMut(Incoming<'_>) -> Appetite,
    ) -> Result<(), ProtocolError> {
        unmask(more, open.mask);
        open.mask.rotate_left(more.len() % 4);
        open.remaining -= more.len();
        let Some(mut fragments) = self.fragments.take() else { return Ok(()) };
        fragments.append(more)?;
        if open.remaining > 0 {
            self.open = Some(open);
        } else if open.is_final {
            self.paused = hear(message(fragments.kind, &fragments.payload)?).is_break();
            return Ok(());
        }
        self.fragments = Some(fragments);
        Ok(())
    }

    /// Refuses what must not come now, before its payload has been waited for.
    fn check(&self, header: &Header, limit: usize) -> Result<(), ProtocolError> {
        let before = self.fragments.as_ref().map_or(0, |fragments| fragments.payload.len());
        match (header.opcode, &self.fragments) {
            (Opcode::Control(_), _) => return Ok(()),
            (Opcode::Continuation, None) => {
                return Err(ProtocolError::Malformed("a continuation of no message"));
            }
            (Opcode::Data(_), Some(_)) => {
                return Err(ProtocolError::Malformed("a message began inside another"));
            }
            (Opcode::Continuation, Some(_)) | (Opcode::Data(_), None) => {}
        }
        if header.payload > limit.saturating_sub(before) {
            return Err(ProtocolError::TooBig { limit });
        }
        Ok(())
    }

    fn frame(
        &mut self,
        header: &Header,
        payload: &[u8],
        hear: &mut impl FnMut(Incoming<'_>) -> Appetite,
    ) -> Result<Appetite, ProtocolError> {
        Ok(match header.opcode {
            Opcode::Control(Control::Ping) => hear(Incoming::Ping(payload)),
            Opcode::Control(Control::Pong) => hear(Incoming::Pong),
            Opcode::Control(Control::Close) => {
                self.closed = true;
                hear(Incoming::Close(read_close(payload)?))
            }
            Opcode::Data(kind) if header.is_final => hear(message(kind, payload)?),
            Opcode::Data(kind) => {
                let mut fragments = Fragments::new(kind);
                fragments.append(payload)?;
                self.fragments = Some(Box::new(fragments));
                Appetite::Continue(())
            }
            Opcode::Continuation => match self.fragments.take() {
                None => Appetite::Continue(()),
                Some(mut fragments) => {
                    fragments.append(payload)?;
                    if header.is_final {
                        hear(message(fragments.kind, &fragments.payload)?)
                    } else {
                        self.fragments = Some(fragments);
                        Appetite::Continue(())
                    }
                }
            },
        })
    }
}

impl Fragments {
    fn new(kind: MessageKind) -> Self {
        Fragments { kind, payload: Vec::new(), checked: 0 }
    }

    /// Adds a fragment; a text fails at the first fragment that cannot be UTF-8 any more.
    fn append(&mut self, fragment: &[u8]) -> Result<(), ProtocolError> {
        self.payload.extend_from_slice(fragment);
        if self.kind == MessageKind::Text {
            let unchecked = self.payload.get(self.checked..).unwrap_or_default();
            match str::from_utf8(unchecked) {
                Ok(_) => self.checked = self.payload.len(),
                Err(error) if error.error_len().is_none() => self.checked += error.valid_up_to(),
                Err(_) => return Err(ProtocolError::InvalidText),
            }
        }
        Ok(())
    }
}

fn message(kind: MessageKind, payload: &[u8]) -> Result<Incoming<'_>, ProtocolError> {
    Ok(match kind {
        MessageKind::Binary => Incoming::Binary(payload),
        MessageKind::Text => {
            Incoming::Text(from_utf8(payload).map_err(|_| ProtocolError::InvalidText)?)
        }
    })
}

fn read_close(payload: &[u8]) -> Result<CloseCode, ProtocolError> {
    match payload {
        [] => Ok(CloseCode::NONE),
        [_] => Err(ProtocolError::Malformed("a close frame with half a code")),
        [high, low, reason @ ..] => {
            let code = CloseCode::from_wire(u16::from_be_bytes([*high, *low]))
                .ok_or(ProtocolError::Malformed("a close code that must not be sent"))?;
            str::from_utf8(reason).map_err(|_| ProtocolError::InvalidText)?;
            Ok(code)
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opcode {
    Continuation,
    Data(MessageKind),
    Control(Control),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Control {
    Close,
    Ping,
    Pong,
}

/// The start of a frame (RFC 6455 §5.2).
#[derive(Debug)]
struct Header {
    is_final: bool,
    opcode: Opcode,
    mask: [u8; 4],
    /// Of the header itself, in bytes.
    length: usize,
    /// Of the payload, in bytes.
    payload: usize,
}

impl Header {
    /// `None` while there are too few bytes to tell.
    fn parse(bytes: &[u8]) -> Result<Option<Self>, ProtocolError> {
        let Some((&[first, second], rest)) = bytes.split_first_chunk() else { return Ok(None) };
        let is_final = first & 0x80 != 0;
        if first & 0x70 != 0 {
            return Err(ProtocolError::Malformed("a reserved bit was set"));
        }
        let opcode = match first & 0x0F {
            0x0 => Opcode::Continuation,
            0x1 => Opcode::Data(MessageKind::Text),
            0x2 => Opcode::Data(MessageKind::Binary),
            0x8 => Opcode::Control(Control::Close),
            0x9 => Opcode::Control(Control::Ping),
            0xA => Opcode::Control(Control::Pong),
            _ => return Err(ProtocolError::Malformed("an unknown type of frame")),
        };
        if second & 0x80 == 0 {
            return Err(ProtocolError::Malformed("a frame was not masked"));
        }
        let short = second & 0x7F;
        if matches!(opcode, Opcode::Control(_)) && (short > 125 || !is_final) {
            return Err(ProtocolError::Malformed("a control frame too long, or in fragments"));
        }
        let (payload, rest) = match short {
            126 => {
                let Some((length, rest)) = rest.split_first_chunk() else { return Ok(None) };
                (u64::from(u16::from_be_bytes(*length)), rest)
            }
            127 => {
                let Some((length, rest)) = rest.split_first_chunk() else { return Ok(None) };
                (u64::from_be_bytes(*length), rest)
            }
            short => (u64::from(short), rest),
        };
        if payload > i64::MAX as u64 {
            return Err(ProtocolError::Malformed("a frame length past 63 bits"));
        }
        let Some((&mask, rest)) = rest.split_first_chunk() else { return Ok(None) };
        let length = bytes.len() - rest.len();
        Ok(Some(Header { is_final, opcode, mask, length, payload: payload as usize }))
    }
}

fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let mask_word = u64::from_ne_bytes([
        mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3],
    ]);
    let (words, tail) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ mask_word).to_ne_bytes();
    }
    for (byte, mask) in tail.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}
