//! What a client says when it connects: which session it is, and how far it has come. It is an entry of
//! `Sec-WebSocket-Protocol`, since that is all that a page can add to a handshake.

use super::{key::Key, number};
use std::fmt;

/// The subprotocol by which a client asks for a session, and which the answer selects.
pub const SUBPROTOCOL: &str = "stateroom.v1";

/// What the entry begins with that carries a [`Request`].
const PREFIX: &str = "s.";

/// The longest entry: the key, and six numbers of at most 16 digits.
const MAX_ENTRY_BYTES: usize = PREFIX.len() + Key::TEXT_LENGTH + 6 * 17;

/// What a client tells of its session in the handshake. All counts are zero until it was first welcomed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Request {
    /// Which session it is.
    pub key: Key,
    /// Grows with each try of this client to connect, from 1.
    pub attempt: u64,
    /// The life of the room that it was last told of.
    pub life: Life,
    /// How many counted messages it has got.
    pub have: u64,
    /// How many of its own it knows to be durable.
    pub acked: u64,
    /// How many of its own it has ever written to a socket.
    pub sent: u64,
}

/// Which life of a room something belongs to. Zero twice: none, since it was never told of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Life {
    /// Another when the room has begun anew.
    pub epoch: u64,
    /// Another each time the room was brought back. The room knows how far it had come in the last ones, and so whether
    /// what was told in them is as it knows it: counts alone do not show that.
    pub incarnation: u64,
}

/// Why a handshake tells of no session that there can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoRequest {
    /// There is no entry that begins with `s.`.
    #[error(
        "the handshake asks for {SUBPROTOCOL} without telling a session: add an entry `s.KEY...`"
    )]
    Missing,
    /// There are two.
    #[error("the handshake tells of two sessions: it must have one entry that begins with `s.`")]
    Twice,
    /// It is not written as it must be.
    #[error(
        "the session in the handshake is malformed: it must be \
         `s.KEY.ATTEMPT.EPOCH.INCARNATION.HAVE.ACKED.SENT`, with a key of 22 characters of base64url"
    )]
    Malformed,
}

impl Request {
    /// Whether the client was never welcomed, so that the room need not know it.
    #[must_use]
    pub fn is_first(&self) -> bool {
        (self.life, self.have, self.acked, self.sent) == (Life::default(), 0, 0, 0)
    }

    /// Finds it among the entries of `Sec-WebSocket-Protocol`; nothing if they do not ask for a session.
    ///
    /// # Errors
    /// When they do, and tell none that there can be.
    pub fn find<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Option<Self>, NoRequest> {
        let (mut is_asked, mut found) = (false, None);
        for entry in entries {
            is_asked |= entry == SUBPROTOCOL;
            if entry.starts_with(PREFIX) && found.replace(entry).is_some() {
                return Err(NoRequest::Twice);
            }
        }
        if !is_asked {
            return Ok(None);
        }
        Self::from_entry(found.ok_or(NoRequest::Missing)?).map(Some)
    }

    /// Reads what [`to_entry`](Self::to_entry) writes.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn from_entry(entry: &str) -> Result<Self, NoRequest> {
        Self::read(entry).ok_or(NoRequest::Malformed)
    }

    fn read(entry: &str) -> Option<Self> {
        if entry.len() > MAX_ENTRY_BYTES {
            return None;
        }
        let mut words = entry.strip_prefix(PREFIX)?.split('.');
        let key = Key::from_text(words.next()?)?;
        let mut next = || number::read(words.next()?);
        let attempt = next().filter(|attempt| *attempt > 0)?;
        let life = Life { epoch: next()?, incarnation: next()? };
        let request = Request { key, attempt, life, have: next()?, acked: next()?, sent: next()? };
        words.next().is_none().then_some(request)
    }

    /// The entry that tells it.
    #[must_use]
    pub fn to_entry(&self) -> String {
        let Request { key, attempt, life: Life { epoch, incarnation }, have, acked, sent } = self;
        let key = key.to_text();
        format!("{PREFIX}{key}.{attempt}.{epoch}.{incarnation}.{have}.{acked}.{sent}")
    }
}

impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.epoch, self.incarnation)
    }
}
