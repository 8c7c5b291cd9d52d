//! The sessions of a room as bytes, for the room's snapshot.

use super::{
    fault::{Fault, is_on},
    key::KeyHash,
    ledger::{Closed, Ledger, Session},
    number::MAX_NUMBER,
    request::Life,
    ring::{Ring, StoredRing},
    tombstones::Tombstones,
};
use serde::{Deserialize, Serialize};
use stateroom::ClientId;

/// The first byte. It changes when older programs could not read what follows.
const VERSION: u8 = 1;

/// The bytes after the version, in postcard's format.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    epoch: u64,
    incarnation: u64,
    past: Vec<(u64, u64)>,
    broadcasts: u64,
    sessions: Vec<StoredSession>,
    tombstones: Tombstones,
    ring: StoredRing,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredSession {
    client: u32,
    key: KeyHash,
    heard: u64,
    acked: u64,
    joined: u64,
    extra: i64,
    /// The code, the place and the broadcasts of its end.
    closed: Option<(u16, u64, u64)>,
}

/// These bytes are no sessions of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoLedger {
    /// They begin with another version.
    #[error(
        "the room's sessions are of version {found}, and this program knows version {VERSION}; use a \
         newer one"
    )]
    OtherVersion {
        /// Which.
        found: u8,
    },
    /// They are damaged.
    #[error("the room's sessions are damaged")]
    Damaged,
}

impl Ledger {
    /// Its bytes, to be kept with the state of the room after the same event. They hold what was not let out yet
    /// as well: who is brought back from them has said it, or may say it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let sessions = self.sessions.iter().map(|(client, session)| StoredSession {
            client: client.0,
            key: session.key,
            heard: if is_on(Fault::HeardNotInSnapshot) { 0 } else { session.heard },
            acked: session.acked,
            joined: session.joined,
            extra: session.extra,
            closed: session.closed.map(|closed| (closed.code, closed.place, closed.broadcasts)),
        });
        let stored = Stored {
            epoch: self.life.epoch,
            incarnation: self.life.incarnation,
            past: self.past.iter().copied().collect(),
            broadcasts: self.broadcasts,
            sessions: sessions.collect(),
            tombstones: self.tombstones.clone(),
            ring: self.ring.store(),
        };
        // A vector takes whatever it is given, and the types above can all be written.
        let written = postcard::to_extend(&stored, vec![VERSION]);
        debug_assert!(written.is_ok(), "{written:?}");
        written.unwrap_or_default()
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, NoLedger> {
        match bytes.split_first() {
            Some((&VERSION, stored)) => match postcard::take_from_bytes::<Stored>(stored) {
                Ok((stored, [])) => Self::of(&stored).ok_or(NoLedger::Damaged),
                _ => Err(NoLedger::Damaged),
            },
            Some((&found, _)) => Err(NoLedger::OtherVersion { found }),
            None => Err(NoLedger::Damaged),
        }
    }

    fn of(stored: &Stored) -> Option<Self> {
        let numbers = [stored.broadcasts, stored.incarnation, stored.epoch];
        if numbers.into_iter().any(|number| number > MAX_NUMBER) {
            return None;
        }
        let life = Life { epoch: stored.epoch, incarnation: stored.incarnation };
        let mut ledger = Ledger::new(life);
        ledger.past = stored.past.iter().copied().collect();
        ledger.broadcasts = stored.broadcasts;
        ledger.tombstones = stored.tombstones.clone();
        ledger.ring = Ring::restore(&stored.ring)?;
        for session in &stored.sessions {
            let closed =
                session.closed.map(|(code, place, broadcasts)| Closed { code, place, broadcasts });
            let client = ClientId(session.client);
            let &StoredSession { key, heard, acked, joined, extra, .. } = session;
            let session = Session { key, heard, acked, joined, extra, closed };
            let end = closed.map_or(ledger.ring.head(), |closed| closed.place);
            let is_sound = joined <= ledger.broadcasts
                && heard <= MAX_NUMBER
                && extra.unsigned_abs() <= MAX_NUMBER
                && acked <= session.sent(ledger.broadcasts)
                && end <= ledger.ring.head()
                && ledger.client(key).is_none()
                && !ledger.sessions.contains_key(&client);
            if !is_sound {
                return None;
            }
            ledger.insert(client, session);
        }
        Some(ledger)
    }
}
