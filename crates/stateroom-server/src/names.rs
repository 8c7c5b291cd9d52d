//! What rooms are called within a server, and where they are.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};

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

/// The shard that a room is on.
pub(crate) fn shard_of(room_id: &str, shards: usize) -> usize {
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    (hasher.hash_one(room_id) % shards.max(1) as u64) as usize
}
