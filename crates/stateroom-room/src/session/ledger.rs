//! What of a room's sessions is part of its state: it follows from the room's events alone, so it is the same
//! whenever they are heard again.

use super::{
    close::ServiceClose,
    fault::{Fault, is_on},
    frame::Frame,
    happened::{Happened, Left},
    key::KeyHash,
    message::{Down, begins_with_mark},
    request::Life,
    ring::Ring,
    tombstones::Tombstones,
};
use crate::{
    command::{MessageKind, Recipients},
    small_map::SmallMap,
};
use stateroom::ClientId;
use std::collections::VecDeque;

/// How many incarnations a room remembers. Who was away for more is told that it has missed something.
pub const MAX_INCARNATIONS: usize = 32;

/// The sessions of one room, as they follow from its events.
#[derive(Debug, Clone, Default, Hash)]
pub struct Ledger {
    pub(super) life: Life,
    /// The incarnations before, the last of them last, each with the place of the ring at which it ended: what was told
    /// in one of them from that place on is not so.
    pub(super) past: VecDeque<(u64, u64)>,
    pub(super) sessions: SmallMap<ClientId, Session>,
    /// All sessions by their keys: see [`KeyHash::index`].
    index: SmallMap<(u64, ClientId), ()>,
    pub(super) ring: Ring,
    /// How many messages to everyone, or everyone but one, there were.
    pub(super) broadcasts: u64,
    /// How many messages all sessions together have not said that they have got.
    unacked: u64,
    /// How many sessions the service has not closed.
    open: u64,
    pub(super) tombstones: Tombstones,
}

/// One client's place in a room.
#[derive(Debug, Clone, Hash)]
pub(super) struct Session {
    pub(super) key: KeyHash,
    /// How many of its messages were heard or set aside.
    pub(super) heard: u64,
    /// How many counted messages it has said that it has got.
    pub(super) acked: u64,
    /// How many broadcasts there were before it.
    pub(super) joined: u64,
    /// How many messages were to it alone, less the broadcasts that left it out.
    pub(super) extra: i64,
    pub(super) closed: Option<Box<Closed>>,
}

/// Where the stream of a session ends that the service has closed.
#[derive(Debug, Clone, Hash)]
pub(super) struct Closed {
    pub(super) by: ServiceClose,
    pub(super) place: u64,
    pub(super) broadcasts: u64,
}

impl Ledger {
    /// The sessions of a room that nobody has been in.
    #[must_use]
    pub fn new(life: Life) -> Self {
        Ledger { life, ..Ledger::default() }
    }

    /// Whether a client has a session.
    #[must_use]
    pub fn has(&self, client: ClientId) -> bool {
        self.sessions.contains_key(&client)
    }

    /// Whether anybody has a session, so that it matters what happens.
    #[must_use]
    pub fn has_any(&self) -> bool {
        !self.sessions.is_empty()
    }

    /// Whether nothing would be lost without it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty() && self.tombstones.len() == 0
    }

    /// Which life of the room it is.
    #[must_use]
    pub fn life(&self) -> Life {
        self.life
    }

    /// How many bytes are kept to be said again.
    #[must_use]
    pub fn retained_bytes(&self) -> usize {
        self.ring.bytes()
    }

    /// How many messages of a client with a session were heard.
    #[must_use]
    pub fn heard(&self, client: ClientId) -> Option<u64> {
        self.sessions.get(&client).map(|session| session.heard)
    }

    /// How many counted messages a client with a session was sent.
    #[must_use]
    pub fn sent(&self, client: ClientId) -> Option<u64> {
        self.sessions.get(&client).map(|session| session.sent(self.broadcasts))
    }

    /// Notes what has happened: once for each event and each command of the room's life, in order, also of those
    /// that it hears again.
    pub fn apply(&mut self, happened: Happened<'_>) {
        match happened {
            Happened::Connect { client, key } => self.connect(client, key),
            Happened::Heard { client } => self.hear(client),
            Happened::Skipped { client, reason } => {
                if is_on(Fault::QuarantinedNotCounted) {
                    return;
                }
                self.hear(client);
                if let Some(number) = self.open_session(client).map(|session| session.heard) {
                    self.say(Recipients::One(client), &Down::Skipped { number, reason });
                }
            }
            Happened::Disconnect { client, why } => self.disconnect(client, why),
            Happened::Sent { to, kind, bytes } => self.send(to, kind, bytes),
            Happened::Incarnated { number } => self.incarnate(number),
            Happened::Anew { epoch } => {
                // Whoever is away is told at its return, by the welcome.
                self.life.epoch = epoch;
                self.say(Recipients::All, &Down::Anew { epoch });
            }
        }
    }

    /// Has what is kept to be said again take at most `bound` bytes. What was not let out yet, from the place
    /// `end`, stays.
    pub fn trim(&mut self, bound: usize, end: u64) {
        self.ring.trim(bound, end);
    }

    /// Whether a client has no session, or one that the service has closed.
    pub(super) fn is_over(&self, client: ClientId) -> bool {
        self.sessions.get(&client).is_none_or(|session| session.closed.is_some())
    }

    /// The client whose key has this hash.
    #[must_use]
    pub fn client(&self, key: KeyHash) -> Option<ClientId> {
        let index = key.index();
        let alike = self.index.range((index, ClientId(0))..=(index, ClientId(u32::MAX)));
        alike
            .map(|((_, client), ())| *client)
            .find(|client| self.sessions.get(client).is_some_and(|session| session.key == key))
    }

    /// Notes that a client has got so many messages; `false` if that cannot be.
    pub(super) fn ack(&mut self, client: ClientId, have: u64) -> bool {
        let Some(session) = self.sessions.get_mut(&client) else { return false };
        if have < session.acked || have > session.sent(self.broadcasts) {
            return false;
        }
        self.unacked = self.unacked.saturating_sub(have - session.acked);
        session.acked = have;
        true
    }

    /// Gives back what everybody has got, if it is everything.
    pub(super) fn drop_what_was_got(&mut self, end: u64) {
        if self.unacked == 0 {
            self.ring.trim(0, end);
        }
    }

    /// Gives back what is kept for what will be said next.
    pub(super) fn shrink(&mut self) {
        self.ring.shrink();
    }

    /// Forgets a session, and remembers that it is over.
    pub(super) fn bury(&mut self, client: ClientId) {
        let Some(session) = self.sessions.remove(&client) else { return };
        self.index.remove(&(session.key.index(), client));
        let unacked = session.sent(self.broadcasts).saturating_sub(session.acked);
        self.unacked = self.unacked.saturating_sub(unacked);
        self.open -= u64::from(session.closed.is_none());
        if !is_on(Fault::NoTombstones) {
            self.tombstones.add(session.key, session.heard, session.closed.map(|closed| closed.by));
        }
    }

    pub(super) fn insert(&mut self, client: ClientId, session: Session) {
        let unacked = session.sent(self.broadcasts).saturating_sub(session.acked);
        self.unacked = self.unacked.saturating_add(unacked);
        self.open += u64::from(session.closed.is_none());
        self.index.insert((session.key.index(), client), ());
        self.sessions.insert(client, session);
    }

    fn incarnate(&mut self, number: u64) {
        let before = std::mem::replace(&mut self.life.incarnation, number);
        if before != 0 {
            self.past.push_back((before, self.ring.head()));
        }
        while self.past.len() > MAX_INCARNATIONS {
            self.past.pop_front();
        }
    }

    /// Before which place of the ring everything is so that was told in that life of the room; `None` if the room does
    /// not know of it.
    pub(super) fn end_of(&self, life: Life) -> Option<u64> {
        if life.epoch != self.life.epoch {
            return None;
        }
        if life.incarnation == self.life.incarnation || is_on(Fault::CountsAlone) {
            return Some(u64::MAX);
        }
        let mut past = self.past.iter();
        past.find(|(number, _)| *number == life.incarnation).map(|(_, end)| *end)
    }

    fn connect(&mut self, client: ClientId, key: KeyHash) {
        // The service may have closed the one who had this id before.
        self.bury(client);
        let joined = self.broadcasts;
        let session = Session { key, heard: 0, acked: 0, joined, extra: 0, closed: None };
        self.insert(client, session);
    }

    /// A session that goes on.
    fn open_session(&mut self, client: ClientId) -> Option<&mut Session> {
        self.sessions.get_mut(&client).filter(|session| session.closed.is_none())
    }

    fn hear(&mut self, client: ClientId) {
        if let Some(session) = self.open_session(client) {
            session.heard += 1;
        }
    }

    fn disconnect(&mut self, client: ClientId, why: Left<'_>) {
        let (place, broadcasts) = (self.ring.head(), self.broadcasts);
        match (why, self.open_session(client)) {
            (Left::Closed { code, reason }, Some(session)) => {
                let by = ServiceClose { code, reason: reason.into() };
                session.closed = Some(Box::new(Closed { by, place, broadcasts }));
                self.open -= 1;
            }
            // Also one that the service has closed: its id is another connection's now.
            (Left::Gone, Some(_)) | (Left::Replaced, _) => self.bury(client),
            (Left::Gone | Left::Closed { .. }, None) => {}
        }
    }

    fn send(&mut self, to: Recipients, kind: MessageKind, bytes: &[u8]) {
        if kind == MessageKind::Text && begins_with_mark(bytes) {
            let text = String::from_utf8_lossy(bytes);
            self.say(to, &Down::Data(Frame::Text(&text)));
        } else {
            self.push(to, kind, bytes);
        }
    }

    fn say(&mut self, to: Recipients, down: &Down<'_>) {
        match down.encode().frame() {
            Frame::Text(text) => self.push(to, MessageKind::Text, text.as_bytes()),
            Frame::Binary(bytes) => self.push(to, MessageKind::Binary, bytes),
        }
    }

    /// Keeps a message as it is written to sockets, if anybody is to hear it.
    fn push(&mut self, to: Recipients, kind: MessageKind, bytes: &[u8]) {
        let is_heard = match to {
            Recipients::One(client) => self.open_session(client).is_some(),
            Recipients::All | Recipients::AllExcept(_) => self.open > 0,
        };
        if is_heard {
            self.count(to);
            self.ring.push(to, kind, bytes);
        }
    }

    /// Counts a message for those that it is for.
    fn count(&mut self, to: Recipients) {
        let everyone = self.open;
        match to {
            Recipients::All => {
                self.broadcasts += 1;
                self.unacked += everyone;
            }
            Recipients::AllExcept(client) => {
                self.broadcasts += 1;
                self.unacked += everyone;
                if let Some(session) = self.open_session(client)
                    && !is_on(Fault::LeftOutNotCounted)
                {
                    session.extra -= 1;
                    self.unacked = self.unacked.saturating_sub(1);
                }
            }
            Recipients::One(client) => {
                if let Some(session) = self.open_session(client)
                    && !is_on(Fault::SinglesNotCounted)
                {
                    session.extra += 1;
                    self.unacked += 1;
                }
            }
        }
    }
}

impl Session {
    /// How many counted messages it was sent, where the room has had so many broadcasts.
    pub(super) fn sent(&self, broadcasts: u64) -> u64 {
        let broadcasts = self.closed.as_ref().map_or(broadcasts, |closed| closed.broadcasts);
        broadcasts.saturating_sub(self.joined).saturating_add_signed(self.extra)
    }
}
