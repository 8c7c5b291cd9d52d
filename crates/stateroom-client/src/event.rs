//! What a client tells its application.

use stateroom_room::session::client::{Message, Status};

/// Something that has happened, in order. `In` is what the service says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<In = Message> {
    /// The client is in another state.
    Status(Status),
    /// The session has begun.
    Opened,
    /// The service has said something.
    Message(In),
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

impl<In> Event<In> {
    /// The same, with another kind of message in it.
    pub(crate) fn map<Other>(self, message: impl FnOnce(In) -> Other) -> Event<Other> {
        match self {
            Event::Message(said) => Event::Message(message(said)),
            Event::Status(status) => Event::Status(status),
            Event::Opened => Event::Opened,
            Event::Resumed { recovered, new_session } => Event::Resumed { recovered, new_session },
            Event::Skipped { number, reason } => Event::Skipped { number, reason },
            Event::Unsettled { messages } => Event::Unsettled { messages },
            Event::Closed { code, reason } => Event::Closed { code, reason },
        }
    }
}
