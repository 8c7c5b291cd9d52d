//! The host's side of the sessions of one room: what it knows, and what waits for the disk.

use super::{
    close::{Close, ServiceClose},
    fault::{Fault, is_on},
    happened::{Happened, Left},
    key::KeyHash,
    ledger::Ledger,
    place::{Place, SocketId},
    request::Life,
    settings::SessionSettings,
};
use crate::{small_map::SmallMap, timestamp::Timestamp};
use stateroom::ClientId;
use std::collections::{BTreeSet, VecDeque};

/// The sessions of one room that is in memory, as a pure state machine. See the [module](super) for how to drive it.
#[derive(Debug, Clone, Hash)]
pub struct SessionHost {
    pub(super) ledger: Ledger,
    pub(super) settings: SessionSettings,
    pub(super) places: SmallMap<ClientId, Place>,
    /// Which client each socket is, or is about to be.
    pub(super) sockets: SmallMap<SocketId, ClientId>,
    /// Sockets whose client the room has yet to let in.
    pub(super) opening: Vec<Opening>,
    /// What is to be let out, each after how many events of the room are durable.
    pub(super) queue: VecDeque<(u64, Item)>,
    /// After how many events of the room it is.
    pub(super) events: u64,
    /// Up to this place of the ring everything was let out.
    pub(super) released: u64,
    /// Who has yet to be told what is durable, and when that is due.
    pub(super) untold: Vec<ClientId>,
    pub(super) tell_at: Option<Timestamp>,
    /// Who is away, in the order in which they will have been away too long.
    away: BTreeSet<(Timestamp, ClientId)>,
}

/// A socket that asked for a session that the room does not know.
#[derive(Debug, Clone, Copy, Hash)]
pub(super) struct Opening {
    pub(super) key: KeyHash,
    pub(super) socket: SocketId,
    pub(super) attempt: u64,
}

/// Something that waits until what it tells is durable.
#[derive(Debug, Clone, Hash)]
pub(super) enum Item {
    /// The messages before this place of the ring.
    Messages {
        before: u64,
    },
    /// So many more messages of this client are durable.
    Heard(ClientId, u64),
    /// The client wants to know.
    Flush(ClientId),
    Welcome(Box<Greeting>),
    Close(SocketId, Close),
}

/// What a socket is told first: the messages of the ring from one place to before another follow.
#[derive(Debug, Clone, Hash)]
pub(super) struct Greeting {
    pub(super) socket: SocketId,
    pub(super) client: ClientId,
    pub(super) life: Life,
    pub(super) heard: u64,
    /// How many counted messages it has, and how many it was sent.
    pub(super) from: u64,
    pub(super) total: u64,
    pub(super) tail: (u64, u64),
}

impl Item {
    /// Whether it is about the session of a client, and of no use without that.
    fn is_for(&self, client: ClientId) -> bool {
        match self {
            Item::Heard(whose, _) | Item::Flush(whose) => *whose == client,
            Item::Welcome(greeting) => greeting.client == client,
            Item::Messages { .. } | Item::Close(..) => false,
        }
    }
}

impl SessionHost {
    /// Goes on with the sessions of a room that is as it was after `events` events, all of them durable, and heard
    /// again as far as they had to be. Everybody is away, and has the whole grace from `now` to come back.
    ///
    /// The room is to hear next that it is [another incarnation](Happened::Incarnated), and nobody is to be answered
    /// before.
    #[must_use]
    pub fn open(ledger: Ledger, settings: SessionSettings, events: u64, now: Timestamp) -> Self {
        let place = |heard| Place {
            away_since: Some(now),
            durable: heard,
            told: heard,
            ..Place::default()
        };
        let places =
            ledger.sessions.iter().map(|(client, session)| (*client, place(session.heard)));
        let away = ledger.sessions.keys().map(|client| (now, *client)).collect();
        SessionHost {
            places: places.collect(),
            released: ledger.ring.head(),
            ledger,
            settings,
            sockets: SmallMap::default(),
            opening: Vec::new(),
            queue: VecDeque::new(),
            events,
            untold: Vec::new(),
            tell_at: None,
            away,
        }
    }

    /// Goes on with sessions that were brought back after an event that failed. Everything before it was durable
    /// and let out, and what was written to a socket is written: sockets keep their places.
    pub fn back_again(&mut self, mut ledger: Ledger) {
        ledger.life = self.ledger.life;
        for (client, session) in self.ledger.sessions.iter() {
            ledger.ack(*client, session.acked);
        }
        // Those that were closed and have stayed away too long have gone without an event.
        let is_gone = |client: &&ClientId| !self.ledger.sessions.contains_key(client);
        let gone: Vec<_> = ledger.sessions.keys().filter(is_gone).copied().collect();
        for client in gone {
            ledger.bury(client);
        }
        self.ledger = ledger;
        if is_on(Fault::SetbackSendsAgain) {
            self.released = self.ledger.ring.floor();
            let before = self.ledger.ring.head();
            self.queue.push_back((self.events, Item::Messages { before }));
        }
    }

    /// Notes that the room has heard so many events, of which the last may have been about no session.
    pub(crate) fn reached(&mut self, events: u64) {
        self.events = events;
    }

    /// How many events the room has heard, as far as was noted.
    pub(crate) fn events(&self) -> u64 {
        self.events
    }

    /// Whether nothing of it is needed any more.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.ledger.is_empty()
            && self.queue.is_empty()
            && self.opening.is_empty()
            && self.sockets.is_empty()
    }

    /// Who has been away the longest, of those whom the service has not closed.
    #[must_use]
    pub fn longest_away(&self) -> Option<ClientId> {
        self.away.iter().map(|(_, client)| *client).find(|client| !self.ledger.is_over(*client))
    }

    /// The sessions as they are to be kept with the room's state after the last event that was
    /// [noted](Self::note).
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Notes what has happened in the room by its event number `at`, counted from 1: the event, and then each
    /// command that it caused, in order.
    pub fn note(&mut self, at: u64, happened: Happened<'_>, now: Timestamp) {
        self.events = at;
        let head = self.ledger.ring.head();
        // Whoever leaves while it has a socket is told why.
        let leaves = match happened {
            Happened::Disconnect { client, why } => {
                let close = match why {
                    Left::Closed { code, reason } => {
                        Close::Service(ServiceClose { code, reason: reason.into() })
                    }
                    Left::Replaced => Close::Moved,
                    Left::Gone => Close::Ended { heard: self.ledger.heard(client) },
                };
                let socket = self.places.get(&client).and_then(|place| place.socket);
                socket.map(|socket| Item::Close(socket, close))
            }
            _ => None,
        };
        self.ledger.apply(happened);
        self.queue.extend(leaves.map(|close| (at, close)));
        match happened {
            Happened::Connect { client, key } => self.opened(client, key, now),
            Happened::Heard { client } | Happened::Skipped { client, .. } => {
                if self.places.contains_key(&client) {
                    self.heard(at, client);
                }
            }
            Happened::Disconnect { client, why: Left::Gone | Left::Replaced } => {
                self.forget(client);
            }
            Happened::Incarnated { .. }
            | Happened::Disconnect { .. }
            | Happened::Sent { .. }
            | Happened::Anew { .. } => {}
        }
        let before = self.ledger.ring.head();
        if before > head {
            match self.queue.back_mut() {
                Some((last, Item::Messages { before: end })) if *last == at => *end = before,
                _ => self.queue.push_back((at, Item::Messages { before })),
            }
            self.ledger.trim(self.settings.retained_bytes, self.released);
        }
    }

    /// Has a client be told of one message more. What is let out at once is one item.
    fn heard(&mut self, at: u64, client: ClientId) {
        let last = self.queue.iter_mut().rev().take(2).take_while(|(other, _)| *other == at);
        let mut counts = last.filter_map(|(_, item)| match item {
            Item::Heard(whose, count) if *whose == client => Some(count),
            _ => None,
        });
        match counts.next() {
            Some(count) => *count += 1,
            None => self.queue.push_back((at, Item::Heard(client, 1))),
        }
    }

    fn opened(&mut self, client: ClientId, key: KeyHash, now: Timestamp) {
        // Whoever had this id before had another session.
        self.forget(client);
        self.queue.retain(|(_, item)| !item.is_for(client));
        self.untold.retain(|other| *other != client);
        let mut place = Place::default();
        if let Some(index) = self.opening.iter().position(|opening| opening.key == key) {
            let Opening { socket, attempt, .. } = self.opening.swap_remove(index);
            place = Place { attempt, socket: Some(socket), ..Place::default() };
            self.sockets.insert(socket, client);
            let head = self.ledger.ring.head();
            let tail = (head, head);
            let life = self.ledger.life;
            let greeting = Greeting { socket, client, life, heard: 0, from: 0, total: 0, tail };
            self.queue.push_back((self.events, Item::Welcome(Box::new(greeting))));
        }
        let is_here = place.socket.is_some();
        self.places.insert(client, place);
        if !is_here {
            self.goes_away(client, now);
        }
    }

    /// Has the grace of a session begin.
    pub(super) fn goes_away(&mut self, client: ClientId, now: Timestamp) {
        self.is_back(client);
        if let Some(place) = self.places.get_mut(&client) {
            place.away_since = Some(now);
            self.away.insert((now, client));
        }
    }

    /// Ends the grace of a session.
    pub(super) fn is_back(&mut self, client: ClientId) {
        if let Some(since) = self.places.get_mut(&client).and_then(|place| place.away_since.take())
        {
            self.away.remove(&(since, client));
        }
    }

    /// Forgets all that is soft of a session that is over.
    pub(super) fn forget(&mut self, client: ClientId) {
        self.is_back(client);
        if let Some(socket) = self.places.remove(&client).and_then(|place| place.socket) {
            self.sockets.remove(&socket);
        }
    }

    /// After how many events of the room what waits longest may be let out; `None` if nothing waits.
    #[must_use]
    pub fn waits_for(&self) -> Option<u64> {
        self.queue.front().map(|(at, _)| *at)
    }

    /// When [`timer`](Self::timer) is next due.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        let first = self.away.first().map(|(since, _)| since.after(self.settings.grace));
        [first, self.tell_at].into_iter().flatten().min()
    }

    /// Has what is kept to be said again take at most so many bytes now, as far as it was let out: where the server as
    /// a whole keeps too much. Who needed it is told that it has missed something, and nobody else notices.
    pub fn trim(&mut self, bytes: usize) {
        self.ledger.trim(bytes, self.released);
    }

    /// Gives back what is kept for what will happen next, as far as nothing waits in it.
    pub(crate) fn shrink(&mut self) {
        self.queue.shrink_to_fit();
        self.opening.shrink_to_fit();
        self.untold.shrink_to_fit();
        self.ledger.shrink();
    }

    /// Has every grace begin anew: for a while the room could not have heard who came back.
    pub fn was_deaf(&mut self, now: Timestamp) {
        for (_, client) in std::mem::take(&mut self.away) {
            self.goes_away(client, now);
        }
    }

    /// Does what is due. Returns the clients that have stayed away too long, for the room to hear that they have
    /// disconnected.
    #[must_use]
    pub fn timer(&mut self, now: Timestamp) -> Vec<ClientId> {
        if self.tell_at.is_some_and(|at| at <= now) {
            self.tell_at = None;
            for client in std::mem::take(&mut self.untold) {
                // What is durable already waits for nothing.
                self.queue.push_front((0, Item::Flush(client)));
            }
        }
        let grace = self.settings.grace;
        let over = self.away.iter().take_while(|(since, _)| since.after(grace) <= now);
        let mut over: Vec<_> = over.map(|(_, client)| *client).collect();
        // The room knows already that these have left.
        over.retain(|client| {
            let was_closed = self.ledger.is_over(*client);
            if was_closed {
                self.ledger.bury(*client);
                self.forget(*client);
            }
            !was_closed
        });
        over
    }
}
