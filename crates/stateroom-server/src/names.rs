//! What rooms are called within a server.

/// Names a room of a shard; never the same again for another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RoomKey {
    pub(crate) index: u32,
    pub(crate) birth: u32,
}

#[cfg(test)]
impl RoomKey {
    /// That of a shard's first room.
    pub(crate) const fn first() -> Self {
        RoomKey { index: 0, birth: 1 }
    }
}

/// Where a room is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Address {
    pub(crate) shard: usize,
    pub(crate) room: RoomKey,
}
