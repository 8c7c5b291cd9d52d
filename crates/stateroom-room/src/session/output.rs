//! What the host of a room's sessions asks of whoever drives it.

use super::{close::Close, message::Welcome, place::SocketId};
use crate::command::{MessageKind, Recipients};
use stateroom::ClientId;

/// Something to do, in the order given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output<'a> {
    /// Write the welcome. From here on the socket is the client's: it gets the [`Output::Message`]s that are for it.
    Welcome {
        /// Where.
        socket: SocketId,
        /// Whose socket it is now.
        client: ClientId,
        /// What to write.
        welcome: Welcome,
    },
    /// Write a message to one socket, as it is.
    Write {
        /// Where.
        socket: SocketId,
        /// The type of message.
        kind: MessageKind,
        /// What to write.
        bytes: &'a [u8],
    },
    /// Write a message to the sockets of some clients, as it is: to those that are a client's at this point.
    Message {
        /// Which.
        to: Recipients,
        /// The type of message.
        kind: MessageKind,
        /// What to write.
        bytes: &'a [u8],
    },
    /// Tell a client how many of its messages are durable. May wait for the next message to it.
    Ack {
        /// Where.
        socket: SocketId,
        /// How many.
        heard: u64,
    },
    /// Close a socket, and say so when it has ended, as of any other.
    Close {
        /// Which.
        socket: SocketId,
        /// Why.
        close: Close,
    },
}
