//! What a room asks of whoever drives it.

use stateroom::ClientId;

/// Something to do. Commands are carried out in the order given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command<'a> {
    /// The connection whose [`Event::Connect`](crate::Event::Connect) caused this is from now on
    /// `client`.
    Open {
        /// The id that the room gave it.
        client: ClientId,
    },
    /// Send a message.
    Send {
        /// Whom it is for, among the connections that are open at this point in the commands.
        to: Recipients,
        /// The type of frame.
        kind: MessageKind,
        /// The payload; valid UTF-8 where `kind` is text.
        bytes: &'a [u8],
    },
    /// End the connection of `client`. No event must follow from it: the room knows.
    Close {
        /// Whose connection.
        client: ClientId,
        /// What to tell it.
        reason: CloseReason<'a>,
    },
    /// Answer the [`Event::Request`](crate::Event::Request) of this number.
    Answer {
        /// Which.
        number: u64,
        /// A [`Response`](stateroom::Response), encoded.
        response: &'a [u8],
    },
}

/// The members a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Recipients {
    /// Every open connection.
    All,
    /// Every open connection but this one.
    AllExcept(ClientId),
    /// This one; nobody if it is not open.
    One(ClientId),
}

/// The two types of message a WebSocket carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// Text, valid UTF-8.
    Text,
    /// Any bytes.
    Binary,
}

/// Why the room itself closes a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason<'a> {
    /// The same token has connected again; this connection is the older one.
    Replaced,
    /// The service has closed it.
    Service {
        /// With this code: 1000, or 4301 to 4999.
        code: u16,
        /// Why, at most [`MAX_CLOSE_REASON_BYTES`](stateroom::MAX_CLOSE_REASON_BYTES) long.
        reason: &'a str,
    },
}
