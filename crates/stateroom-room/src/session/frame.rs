//! Whole WebSocket messages, whatever they say.

use std::borrow::Cow;

/// One whole WebSocket message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Frame<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
}

/// One whole WebSocket message, to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encoded<'a> {
    /// A text message.
    Text(Cow<'a, str>),
    /// A binary message.
    Binary(Cow<'a, [u8]>),
}

impl Encoded<'_> {
    /// The message, as it stands on the socket.
    #[must_use]
    pub fn frame(&self) -> Frame<'_> {
        match self {
            Encoded::Text(text) => Frame::Text(text),
            Encoded::Binary(bytes) => Frame::Binary(bytes),
        }
    }
}

impl Frame<'_> {
    /// How many bytes its payload has.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Frame::Text(text) => text.len(),
            Frame::Binary(bytes) => bytes.len(),
        }
    }

    /// Whether its payload is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
