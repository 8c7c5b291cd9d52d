//! What a client tells its application.

use stateroom_room::session::client::{Message, Status};

/// Something that has happened, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The client is in another state.
    Status(Status),
    /// The session has begun.
    Opened,
    /// The service has said something.
    Message(Message),
    /// There is a connection again, and the session goes on.
    Resumed {
        /// Whether nothing was missed. Otherwise the room began anew, or the client was away for too long: ask the
        /// service for what is needed.
        recovered: bool,
    },
    /// One of the messages that were sent was set aside, since the room failed at it.
    Skipped {
        /// Which: the first of the session is 1.
        number: u64,
        /// Why.
        reason: String,
    },
    /// The session is over, and of these messages nobody can say whether they were heard. Another session begins,
    /// unless [`Closed`](Event::Closed) follows.
    Unsettled {
        /// Which, in order.
        messages: Vec<Message>,
    },
    /// The client has ended, and connects no more.
    Closed {
        /// With which close code.
        code: u16,
        /// Why.
        reason: String,
    },
}
