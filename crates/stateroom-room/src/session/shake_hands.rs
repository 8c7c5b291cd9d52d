//! How the host answers a handshake.

use super::{
    close::Close,
    fault::{Fault, is_on},
    host::{Greeting, Item, Opening, SessionHost},
    key::KeyHash,
    ledger::Session,
    place::{Place, SocketId},
    request::Request,
    tombstones::Tombstone,
};
use stateroom::ClientId;
use std::cmp::Ordering;

/// What follows from a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// The room is to hear the connect of a client that it does not know, before anything else. If it cannot, the
    /// socket is to be [refused](SessionHost::refuse).
    Connect(KeyHash),
    /// Nothing more: the answer is among the outputs, or waits until it may be.
    Answered,
}

impl SessionHost {
    /// Hears what a socket has asked for in its handshake. To be called while the room may hear events.
    pub fn ask(&mut self, socket: SocketId, request: &Request) -> Asked {
        let key = request.key.hash();
        let client = self.ledger.client(key);
        match client.filter(|_| !(is_on(Fault::KeyOfTheServer) && request.is_first())) {
            Some(client) => {
                self.come_back(socket, client, request);
                Asked::Answered
            }
            None => {
                let over = self.ledger.tombstones.find(key);
                if over.is_some() || !request.is_first() {
                    self.refuse(
                        socket,
                        over.map_or(Close::Ended { heard: None }, Tombstone::close),
                    );
                    return Asked::Answered;
                }
                // Whoever asks twice before the room has heard it is the same client.
                let twin = self.opening.iter().find(|opening| opening.key == key);
                if let Some(socket) = twin.map(|twin| twin.socket) {
                    self.refuse(socket, Close::Again);
                }
                self.opening.push(Opening { key, socket, attempt: request.attempt });
                Asked::Connect(key)
            }
        }
    }

    /// Closes a socket when all that has happened is durable: one that is not to have a session, or whose login has
    /// ended.
    pub fn refuse(&mut self, socket: SocketId, close: Close) {
        self.opening.retain(|opening| opening.socket != socket);
        let at = if is_on(Fault::RefusalUngated) { 0 } else { self.events };
        self.queue.push_back((at, Item::Close(socket, close)));
    }

    fn come_back(&mut self, socket: SocketId, client: ClientId, request: &Request) {
        let Some(session) = self.ledger.sessions.get(&client) else { return };
        let newest = self.places.get(&client).map_or(0, |place| place.attempt);
        match request.attempt.cmp(&newest) {
            _ if is_on(Fault::NoAttemptNumber) => {}
            Ordering::Less => return self.refuse(socket, Close::Moved),
            // A proxy may have sent a handshake twice. If it is this one that the client hears, it tries again.
            Ordering::Equal => return self.refuse(socket, Close::Again),
            Ordering::Greater => {}
        }
        let heard = session.heard;
        let counts_agree = request.acked <= heard && heard <= request.sent;
        if !counts_agree {
            // What it knows and what the room knows are not of one session any more. Grace ends that.
            return self.refuse(socket, Close::Ended { heard: Some(heard) });
        }
        let total = session.sent(self.ledger.broadcasts);
        let tail = self.tail(client, session, request, total);
        let is_same_epoch = request.is_first() || request.life.epoch == self.ledger.life.epoch;
        let end = session.closed.as_ref().map_or(self.ledger.ring.head(), |closed| closed.place);
        let (from, tail) = match tail {
            Some(place) => (request.have, (place, end)),
            // Its counts are those of another course of things, as it has to notice.
            None if total == request.have && is_same_epoch => {
                return self.refuse(socket, Close::Ended { heard: Some(heard) });
            }
            None => (total, (end, end)),
        };
        let closed = session.closed.as_ref().map(|closed| closed.by.clone());
        if !self.places.contains_key(&client) {
            self.places.insert(client, Place::default());
        }
        let Some(place) = self.places.get_mut(&client) else { return };
        place.attempt = request.attempt;
        place.is_attached = false;
        let old = place.socket.replace(socket);
        if !is_on(Fault::GraceNotCancelled) {
            self.is_back(client);
        }
        self.sockets.insert(socket, client);
        if let Some(old) = old {
            if !is_on(Fault::OldSocketHeard) && !is_on(Fault::OldSocketEndsNew) {
                self.sockets.remove(&old);
            }
            self.queue.push_back((self.events, Item::Close(old, Close::Moved)));
        }
        let at = if is_on(Fault::WelcomeUngated) { 0 } else { self.events };
        let life = self.ledger.life;
        let greeting = Greeting { socket, client, life, heard, from, total, tail };
        self.queue.push_back((at, Item::Welcome(Box::new(greeting))));
        if let Some(closed) = closed {
            self.queue.push_back((self.events, Item::Close(socket, Close::Service(closed))));
        }
    }

    /// From which place of the ring a client goes on that comes back; `None` if it can't be told all that it has missed,
    /// or has got what is not so.
    fn tail(
        &self,
        client: ClientId,
        session: &Session,
        request: &Request,
        total: u64,
    ) -> Option<u64> {
        let ledger = &self.ledger;
        let end = session.closed.as_ref().map_or(ledger.ring.head(), |closed| closed.place);
        let end_of_life = || ledger.end_of(request.life);
        let so_before = match request.is_first() {
            true => u64::MAX,
            // What it has said that it has got was so.
            false if request.have <= session.acked => end_of_life().map(|_| u64::MAX)?,
            false => end_of_life()?,
        };
        let missing = total.checked_sub(request.have)?;
        let place = ledger.ring.place(client, missing, end)?;
        ledger.ring.has_none(client, so_before, place).then_some(place)
    }
}
