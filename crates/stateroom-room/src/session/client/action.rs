//! What a client's side of a session asks of whoever drives it.

use crate::{command::MessageKind, session::frame::Frame};

/// A whole message that somebody owns.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Message {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
}

/// Something to do, in the order given.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Action {
    /// Write a message to the socket of this attempt.
    Write {
        /// Which.
        attempt: u64,
        /// What.
        message: Message,
    },
    /// Give up the socket of this attempt: close it with 4999, and expect nothing of it any more.
    GiveUp {
        /// Which.
        attempt: u64,
    },
    /// Close the socket of this attempt with 1000, which ends the session.
    Close {
        /// Which.
        attempt: u64,
    },
    /// The session has begun: `open`.
    Opened,
    /// The session goes on: `resume`.
    Resumed {
        /// Whether nothing was missed. Otherwise the application should ask the service for what it needs.
        recovered: bool,
        /// Whether it is another session: to the service it is somebody who has just come.
        new_session: bool,
    },
    /// The service has said something: `message`.
    Deliver(Message),
    /// One of the messages that were sent was set aside, for the room failed at it.
    Skipped {
        /// Which: the first of the session is 1.
        number: u64,
        /// Why.
        reason: String,
    },
    /// So many messages of the session are durable.
    Settled {
        /// How many.
        heard: u64,
    },
    /// These messages will not be sent again, in order: the session is over, and nobody can say whether they were heard;
    /// or the room began anew while the client was away, and has not heard them.
    Unsettled {
        /// Which.
        messages: Vec<Message>,
    },
    /// The client has ended: `close`.
    Closed {
        /// With which code.
        code: u16,
        /// Why.
        reason: String,
    },
    /// Get another token before the next attempt.
    LogIn,
}

impl Message {
    /// It, borrowed.
    #[must_use]
    pub fn frame(&self) -> Frame<'_> {
        match self {
            Message::Text(text) => Frame::Text(text),
            Message::Binary(bytes) => Frame::Binary(bytes),
        }
    }

    /// Its type.
    #[must_use]
    pub fn kind(&self) -> MessageKind {
        match self {
            Message::Text(_) => MessageKind::Text,
            Message::Binary(_) => MessageKind::Binary,
        }
    }
}

impl From<Frame<'_>> for Message {
    fn from(frame: Frame<'_>) -> Self {
        match frame {
            Frame::Text(text) => Message::Text(text.to_owned()),
            Frame::Binary(bytes) => Message::Binary(bytes.to_vec()),
        }
    }
}
