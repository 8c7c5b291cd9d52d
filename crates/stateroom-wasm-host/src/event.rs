//! What a room hears.

use stateroom::ClientId;

/// What a room hears.
#[derive(Clone, Copy)]
pub(crate) enum Event<'a> {
    Start { room_id: &'a str },
    Connect(ClientId),
    Disconnect(ClientId),
    Message(ClientId, &'a str),
    Binary(ClientId, &'a [u8]),
    Timer,
}
