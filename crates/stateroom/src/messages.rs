//! Events and commands as values, for programs that carry them over a wire of their own.

use crate::{ClientId, MessageRecipient};

/// The content of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum MessagePayload {
    /// A binary frame.
    Bytes(Vec<u8>),
    /// A text frame.
    Text(String),
}

impl MessagePayload {
    /// The text, unless this is a binary message.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            MessagePayload::Text(text) => Some(text),
            MessagePayload::Bytes(_) => None,
        }
    }

    /// The bytes, unless this is a text message.
    #[must_use]
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            MessagePayload::Bytes(bytes) => Some(bytes),
            MessagePayload::Text(_) => None,
        }
    }
}

impl From<String> for MessagePayload {
    fn from(text: String) -> Self {
        MessagePayload::Text(text)
    }
}

impl From<&str> for MessagePayload {
    fn from(text: &str) -> Self {
        MessagePayload::Text(text.to_owned())
    }
}

impl From<Vec<u8>> for MessagePayload {
    fn from(bytes: Vec<u8>) -> Self {
        MessagePayload::Bytes(bytes)
    }
}

impl From<&[u8]> for MessagePayload {
    fn from(bytes: &[u8]) -> Self {
        MessagePayload::Bytes(bytes.to_vec())
    }
}

/// An event on its way to a service.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "type"))]
pub enum MessageToProcess {
    /// A client has connected.
    Connect {
        /// Who connected.
        client: ClientId,
    },
    /// A client has gone.
    Disconnect {
        /// Who left.
        client: ClientId,
    },
    /// A client has sent a message.
    Message {
        /// Who sent it.
        client: ClientId,
        /// What was sent.
        message: MessagePayload,
    },
    /// The timer has run out.
    Timer,
}

/// A command on its way from a service.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "type"))]
pub enum MessageFromProcess {
    /// A message to send.
    Message {
        /// Whom it is for.
        recipient: MessageRecipient,
        /// What to send.
        message: MessagePayload,
    },
}
