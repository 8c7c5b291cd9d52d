//! Names one participant of a room.

/// One client of one room.
///
/// Rooms number their clients from 1 upwards and never reuse a number in a room's life, so an id
/// that a service has kept always means the person it meant before.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Eq, Hash, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct ClientId(pub u32);

impl From<ClientId> for u32 {
    fn from(client: ClientId) -> Self {
        client.0
    }
}

impl From<u32> for ClientId {
    fn from(number: u32) -> Self {
        ClientId(number)
    }
}

impl std::fmt::Display for ClientId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
