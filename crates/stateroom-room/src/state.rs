//! A whole room at one moment, as bytes: its members, its timer, its time and its service.

use crate::{
    journal::{Beginning, Journal},
    members::Members,
    timestamp::Timestamp,
};
use serde::{Deserialize, Serialize};
use stateroom::{Birth, MemoryLimits, SaveFailure, SavedState};
use std::time::Duration;

/// The first byte of a room's state. It changes when older programs could not read what follows.
const VERSION: u8 = 2;

/// The state of a room after so many events, which has yet to be made into bytes.
#[derive(Debug)]
pub struct RoomState {
    /// How many events of the room's life it comes after.
    pub at: u64,
    pub(crate) stored: Stored,
    pub(crate) service: Option<SavedState>,
}

/// The bytes after the version, in postcard's format.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Stored {
    /// A room that has heard nothing. It is brought back by starting it again.
    Begun { time: Duration, seed: [u8; 32], limits: MemoryLimits, digest: u32 },
    /// Any other.
    Lived(Box<Lived>),
}

/// All of a room that its journal is not needed for.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Lived {
    pub(crate) now: Timestamp,
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) members: Members,
    pub(crate) limits: MemoryLimits,
    pub(crate) was_spoken_in: bool,
    #[serde(with = "serde_bytes")]
    pub(crate) service: Vec<u8>,
}

/// These bytes are no state of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoState {
    /// They begin with another version.
    #[error(
        "the room's state is of version {found}, and this program knows version {VERSION}; use a \
         newer one"
    )]
    OtherVersion {
        /// Which.
        found: u8,
    },
    /// They are damaged.
    #[error("the room's state is damaged")]
    Damaged,
}

impl RoomState {
    /// The bytes that [`Room::restore`](crate::Room::restore) takes. May be called on any thread, and
    /// takes as long as [`SavedState::encode`].
    ///
    /// # Errors
    /// When the service's state can't be encoded.
    pub fn encode(self) -> Result<Vec<u8>, SaveFailure> {
        let mut stored = self.stored;
        if let (Stored::Lived(lived), Some(service)) = (&mut stored, self.service) {
            lived.service = service.encode()?;
        }
        postcard::to_extend(&stored, vec![VERSION]).map_err(|error| SaveFailure(error.to_string()))
    }

    pub(crate) fn of(
        journal: &Journal,
        lived: impl FnOnce() -> Option<(Lived, SavedState)>,
    ) -> Option<Self> {
        let at = journal.events;
        Some(match journal.beginning {
            Some(Beginning { birth: Birth { time, seed, limits }, digest }) => RoomState {
                at,
                stored: Stored::Begun { time, seed, limits, digest },
                service: None,
            },
            None => {
                let (lived, service) = lived()?;
                RoomState { at, stored: Stored::Lived(Box::new(lived)), service: Some(service) }
            }
        })
    }
}

impl Stored {
    pub(crate) fn read(bytes: &[u8]) -> Result<Stored, NoState> {
        match bytes.split_first() {
            Some((&VERSION, stored)) => match postcard::take_from_bytes(stored) {
                Ok((stored, [])) => Ok(stored),
                _ => Err(NoState::Damaged),
            },
            Some((&found, _)) => Err(NoState::OtherVersion { found }),
            None => Err(NoState::Damaged),
        }
    }
}
