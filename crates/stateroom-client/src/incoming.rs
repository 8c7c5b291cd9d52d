//! What comes on a socket.

use stateroom_room::session::client::Message;

/// How a socket ends without a close.
pub(crate) const LOST: u16 = 1006;

/// What comes on a socket.
pub(crate) enum Incoming {
    /// A whole message.
    Message(Message),
    /// Nothing that matters, but the connection lives.
    Sign,
    /// It has ended, with a code and a reason.
    End(u16, String),
}
