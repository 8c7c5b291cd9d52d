//! What a room hears.

use stateroom::{ClientId, LeaveReason};

/// What a room hears.
#[derive(Clone, Copy)]
pub(crate) enum Event<'a> {
    Start { room_id: &'a str },
    Connect(ClientId),
    Disconnect(ClientId),
    Leave(ClientId, LeaveReason),
    Message(ClientId, &'a str),
    Binary(ClientId, &'a [u8]),
    Timer,
}
