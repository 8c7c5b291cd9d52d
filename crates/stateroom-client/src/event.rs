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
    /// There is a connection again, or the room began anew under it.
    Resumed {
        /// Whether nothing was missed. Otherwise the room began anew, or the client was away for too long: ask the
        /// service for what is needed.
        recovered: bool,
        /// Whether it is another session: to the service, which hears a connect, the client has just come.
        new_session: bool,
    },
    /// One of the messages that were sent was set aside, since the room failed at it.
    Skipped {
        /// Which: the first of the session is 1.
        number: u64,
        /// Why.
        reason: String,
    },
    /// These messages will not be sent again: send what still has a meaning once [`Resumed`](Event::Resumed) tells
    /// where the client is, unless [`Closed`](Event::Closed) does. The session is over, and nobody can say whether they
    /// were heard; or the room began anew while the client was away, and has not heard them.
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
