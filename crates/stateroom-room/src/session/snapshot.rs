//! The sessions of a room as bytes, for the room's snapshot.

use super::{
    close::ServiceClose,
    fault::{Fault, is_on},
    key::KeyHash,
    ledger::{Closed, Ledger, Session},
    number::MAX_NUMBER,
    request::Life,
    ring::{Ring, StoredRing},
};
use serde::{Deserialize, Serialize};
use stateroom::{ClientId, MAX_CLOSE_REASON_BYTES};

/// The first byte. It changes when older programs could not read what follows.
const VERSION: u8 = 1;

/// The same, where it is followed by how the service has closed clients. Rooms without have the bytes they always had.
const VERSION_WITH_CLOSES: u8 = 2;

/// The bytes after the version, in postcard's format.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    epoch: u64,
    incarnation: u64,
    past: Vec<(u64, u64)>,
    broadcasts: u64,
    sessions: Vec<StoredSession>,
    /// The key of each, and how many of its messages were heard.
    tombstones: Vec<(KeyHash, u64)>,
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

/// How the service has closed clients, as far as that does not stand in what precedes.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Closes<'a> {
    /// The client of each session that was closed with a reason, and the reason.
    #[serde(borrow)]
    sessions: Vec<(u32, &'a str)>,
    /// The place of each tombstone of one that was closed, and the code and the reason.
    #[serde(borrow)]
    tombstones: Vec<(u32, u16, &'a str)>,
}

/// These bytes are no sessions of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoLedger {
    /// They begin with another version.
    #[error(
        "the room's sessions are of version {found}, and this program knows version {VERSION_WITH_CLOSES}; use a \
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
            closed: session
                .closed
                .as_ref()
                .map(|closed| (closed.by.code, closed.place, closed.broadcasts)),
        });
        let stored = Stored {
            epoch: self.life.epoch,
            incarnation: self.life.incarnation,
            past: self.past.iter().copied().collect(),
            broadcasts: self.broadcasts,
            sessions: sessions.collect(),
            tombstones: self.tombstones.iter().map(|it| (it.key, it.heard)).collect(),
            ring: self.ring.store(),
        };
        let closes = self.closes();
        let has_none = closes.sessions.is_empty() && closes.tombstones.is_empty();
        // A vector takes whatever it is given, and the types above can all be written.
        let written = match has_none {
            true => postcard::to_extend(&stored, vec![VERSION]),
            false => postcard::to_extend(&(stored, closes), vec![VERSION_WITH_CLOSES]),
        };
        debug_assert!(written.is_ok(), "{written:?}");
        written.unwrap_or_default()
    }

    fn closes(&self) -> Closes<'_> {
        let reasons = self.sessions.iter().filter_map(|(client, session)| {
            let reason = &session.closed.as_ref()?.by.reason;
            (!reason.is_empty()).then_some((client.0, &**reason))
        });
        let tombstones = (0..).zip(self.tombstones.iter()).filter_map(|(place, tombstone)| {
            let closed = tombstone.closed.as_ref()?;
            Some((place, closed.code, &*closed.reason))
        });
        Closes { sessions: reasons.collect(), tombstones: tombstones.collect() }
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, NoLedger> {
        let (stored, closes) = match bytes.split_first() {
            Some((&VERSION, stored)) => (whole(stored)?, Closes::default()),
            Some((&VERSION_WITH_CLOSES, stored)) => whole::<(Stored, Closes<'_>)>(stored)?,
            Some((&found, _)) => return Err(NoLedger::OtherVersion { found }),
            None => return Err(NoLedger::Damaged),
        };
        let mut ledger = Self::of(&stored).ok_or(NoLedger::Damaged)?;
        ledger.note_closes(&closes).ok_or(NoLedger::Damaged)?;
        Ok(ledger)
    }

    fn note_closes(&mut self, closes: &Closes<'_>) -> Option<()> {
        let read = |reason: &str| (reason.len() <= MAX_CLOSE_REASON_BYTES).then(|| reason.into());
        for (client, reason) in &closes.sessions {
            let closed = self.sessions.get_mut(&ClientId(*client))?.closed.as_mut()?;
            closed.by.reason = read(reason)?;
        }
        for &(place, code, reason) in &closes.tombstones {
            let closed = ServiceClose { code, reason: read(reason)? };
            self.tombstones.get_mut(place)?.closed = Some(closed);
        }
        Some(())
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
        for (key, heard) in &stored.tombstones {
            ledger.tombstones.add(*key, *heard, None);
        }
        ledger.ring = Ring::restore(&stored.ring)?;
        for session in &stored.sessions {
            let closed = session.closed.map(|(code, place, broadcasts)| {
                let by = ServiceClose { code, reason: "".into() };
                Box::new(Closed { by, place, broadcasts })
            });
            let client = ClientId(session.client);
            let &StoredSession { key, heard, acked, joined, extra, .. } = session;
            let end = closed.as_ref().map_or(ledger.ring.head(), |closed| closed.place);
            let session = Session { key, heard, acked, joined, extra, closed };
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

/// What these bytes are as a whole.
fn whole<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, NoLedger> {
    match postcard::take_from_bytes(bytes) {
        Ok((whole, [])) => Ok(whole),
        _ => Err(NoLedger::Damaged),
    }
}
