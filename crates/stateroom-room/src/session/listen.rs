//! What the host hears on the sockets of sessions.

use super::{
    close::Close,
    fault::{Fault, is_on},
    frame::Frame,
    host::{Item, SessionHost},
    message::Up,
    place::SocketId,
};
use crate::timestamp::Timestamp;
use stateroom::ClientId;
use std::collections::VecDeque;

/// A place for so many items is not kept while nothing waits: most rooms are quiet most of the time.
const FEW_ITEMS: usize = 8;

/// What follows from a message on a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listened<'a> {
    /// The room is to hear this message of this client, before anything else.
    Hear(ClientId, Frame<'a>),
    /// Nothing more.
    Nothing,
}

impl SessionHost {
    /// Hears a whole message of a socket. To be called while the room may hear events.
    pub fn listen<'a>(
        &mut self,
        socket: SocketId,
        frame: Frame<'a>,
        now: Timestamp,
    ) -> Listened<'a> {
        let Some(&client) = self.sockets.get(&socket) else { return Listened::Nothing };
        let Some(place) = self.places.get_mut(&client) else { return Listened::Nothing };
        let is_newest = place.socket == Some(socket) || is_on(Fault::OldSocketHeard);
        if self.ledger.is_over(client) || !is_newest {
            return Listened::Nothing;
        }
        // Before it was welcomed it may say nothing.
        let up = Up::decode(frame).ok().filter(|_| place.is_attached);
        match up {
            Some(Up::Data(data)) => {
                if is_on(Fault::AckAtReceipt) {
                    place.durable = self.ledger.heard(client).unwrap_or(0) + 1;
                    self.queue.push_front((0, Item::Flush(client)));
                }
                return Listened::Hear(client, data);
            }
            Some(Up::Ack { have }) if self.ledger.ack(client, have) => {
                self.ledger.drop_what_was_got(self.released);
                if self.queue.is_empty() && self.queue.capacity() <= FEW_ITEMS {
                    self.queue = VecDeque::new();
                }
            }
            // What is durable already waits for nothing.
            Some(Up::Probe) => {
                if !std::mem::replace(&mut place.probed, true) {
                    self.queue.push_front((0, Item::Flush(client)));
                }
            }
            Some(Up::Flush) => {
                if place.flush.replace(self.events) != Some(self.events) {
                    self.queue.push_back((self.events, Item::Flush(client)));
                }
            }
            Some(Up::Ack { .. }) | None => {
                self.queue.push_back((self.events, Item::Close(socket, Close::Protocol)));
                let _ = self.ended(socket, false, now);
            }
        }
        Listened::Nothing
    }

    /// Notes that a socket has ended. If the client itself has closed it with 1000, and it is its newest, returns
    /// the client, for the room to hear that it has disconnected.
    #[must_use]
    pub fn ended(&mut self, socket: SocketId, by_client: bool, now: Timestamp) -> Option<ClientId> {
        self.opening.retain(|opening| opening.socket != socket);
        let client = self.sockets.remove(&socket)?;
        let place = self.places.get_mut(&client)?;
        if place.socket != Some(socket) && !is_on(Fault::OldSocketEndsNew) {
            return None;
        }
        (place.socket, place.is_attached) = (None, false);
        self.goes_away(client, now);
        (by_client && !self.ledger.is_over(client)).then_some(client)
    }
}
