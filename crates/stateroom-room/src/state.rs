//! A whole room at one moment, as bytes: its members, its timer, its time and its service.

use crate::{
    answers::Answers,
    journal::{Beginning, Journal},
    members::Members,
    session::{Ledger, NoLedger},
    timestamp::Timestamp,
    told::Told,
};
use serde::{Deserialize, Serialize};
use stateroom::{Birth, MemoryLimits, SaveFailure, SavedState};
use std::time::Duration;

/// The first byte of a room's state. It changes when older programs could not read what follows.
const VERSION: u8 = 2;

/// The first byte where the room's [sessions](Ledger::encode) follow what else there is.
const VERSION_WITH_SESSIONS: u8 = 3;

/// The first byte where the room's [answers](Answers) to requests with a key follow, and then its sessions, if there are
/// any.
const VERSION_WITH_ANSWERS: u8 = 4;

/// The first byte where what else the service may ask for ([`Told`]) follows, and then answers and sessions as above.
const VERSION_WITH_TOLD: u8 = 5;

/// The state of a room after so many events, which has yet to be made into bytes.
#[derive(Debug)]
pub struct RoomState {
    /// How many events of the room's life it comes after.
    pub at: u64,
    pub(crate) stored: Stored,
    pub(crate) service: Option<SavedState>,
    /// The bytes of the room's sessions, if there are any.
    pub(crate) sessions: Option<Vec<u8>>,
    /// And of what it has answered.
    pub(crate) answers: Option<Vec<u8>>,
    /// And of what else its service may ask for.
    pub(crate) told: Option<Vec<u8>>,
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
        "the room's state is of version {found}, and this program knows versions {VERSION} to \
         {VERSION_WITH_TOLD}; use a newer one"
    )]
    OtherVersion {
        /// Which.
        found: u8,
    },
    /// What is kept of its sessions can't be read.
    #[error(transparent)]
    NoLedger(#[from] NoLedger),
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
        let version = match (&self.told, &self.answers, &self.sessions) {
            (Some(_), ..) => VERSION_WITH_TOLD,
            (None, Some(_), _) => VERSION_WITH_ANSWERS,
            (None, None, Some(_)) => VERSION_WITH_SESSIONS,
            (None, None, None) => VERSION,
        };
        let mut bytes = postcard::to_extend(&stored, vec![version])
            .map_err(|error| SaveFailure(error.to_string()))?;
        bytes.extend(self.told.unwrap_or_default());
        bytes.extend(self.answers.unwrap_or_default());
        bytes.extend(self.sessions.unwrap_or_default());
        Ok(bytes)
    }

    pub(crate) fn of(
        journal: &Journal,
        sessions: Option<&Ledger>,
        (answers, told): (&Answers, Told),
        lived: impl FnOnce() -> Option<(Lived, SavedState)>,
    ) -> Option<Self> {
        let at = journal.events;
        // A vector takes whatever it is given.
        let told = match told.is_empty() {
            true => None,
            false => postcard::to_stdvec(&told).ok(),
        };
        let answers = match answers.is_empty() && told.is_none() {
            true => None,
            false => postcard::to_stdvec(answers).ok(),
        };
        Some(match journal.beginning {
            Some(Beginning { birth: Birth { time, seed, limits }, digest }) => RoomState {
                at,
                stored: Stored::Begun { time, seed, limits, digest },
                service: None,
                sessions: None,
                answers,
                told,
            },
            None => {
                let (lived, service) = lived()?;
                let sessions = sessions.filter(|ledger| !ledger.is_empty()).map(Ledger::encode);
                let stored = Stored::Lived(Box::new(lived));
                RoomState { at, stored, service: Some(service), sessions, answers, told }
            }
        })
    }
}

/// What a state holds.
pub(crate) struct Read {
    pub(crate) stored: Stored,
    pub(crate) sessions: Option<Ledger>,
    pub(crate) answers: Answers,
    pub(crate) told: Told,
}

impl Stored {
    /// Reads a state.
    pub(crate) fn read(bytes: &[u8]) -> Result<Read, NoState> {
        let (&version, bytes) = bytes.split_first().ok_or(NoState::Damaged)?;
        if !(VERSION..=VERSION_WITH_TOLD).contains(&version) {
            return Err(NoState::OtherVersion { found: version });
        }
        let (stored, mut rest) = postcard::take_from_bytes(bytes).map_err(|_| NoState::Damaged)?;
        let (mut answers, mut told) = (Answers::default(), Told::default());
        if version == VERSION_WITH_TOLD {
            (told, rest) = postcard::take_from_bytes(rest).map_err(|_| NoState::Damaged)?;
        }
        if version >= VERSION_WITH_ANSWERS {
            (answers, rest) = postcard::take_from_bytes(rest).map_err(|_| NoState::Damaged)?;
        }
        let sessions = match (version, rest) {
            (VERSION | VERSION_WITH_ANSWERS | VERSION_WITH_TOLD, []) => None,
            (VERSION, _) => return Err(NoState::Damaged),
            _ => Some(Ledger::decode(rest)?),
        };
        Ok(Read { stored, sessions, answers, told })
    }
}
