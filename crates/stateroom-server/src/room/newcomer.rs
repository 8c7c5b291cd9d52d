//! A client that a room has heard of, and has yet to let in.

use super::turn::{Departure, Joined, Leaving, Ready, Turn};
use crate::{
    connection::{Connection, address_of},
    sockets::Sockets,
};
use mio::net::TcpStream;
use stateroom::ClientId;
use std::{collections::VecDeque, net::IpAddr};

/// See the [module](self).
pub(super) struct Newcomer {
    pub(super) stream: TcpStream,
    pub(super) socket: u32,
    /// Where it comes from, if that is not where its connection comes from.
    pub(super) forwarded_for: Option<IpAddr>,
    /// What it sent right after the handshake.
    pub(super) early: Vec<u8>,
}

impl Newcomer {
    /// Where it comes from.
    pub(super) fn address(&self) -> Option<IpAddr> {
        address_of(&self.stream, self.forwarded_for)
    }

    /// The newcomer is a client now. Tells its connection's key.
    pub(super) fn join<F>(
        self,
        client: ClientId,
        sockets: &mut Sockets,
        early_input: &mut Vec<(Ready, Vec<u8>)>,
        turn: &mut Turn<F>,
    ) -> u32 {
        let Newcomer { stream, socket, forwarded_for, early } = self;
        let mut connection = Connection::new(stream, socket, client);
        connection.is_for(forwarded_for);
        let connection = sockets.insert(client, connection);
        turn.joined.push(Joined { socket, connection });
        if !early.is_empty() {
            early_input.push((Ready { connection, socket, at_end: false }, early));
        }
        connection
    }

    /// The newcomer is not let in after all.
    pub(super) fn turn_away<F>(self, leaving: Leaving, turn: &mut Turn<F>) {
        let Newcomer { stream, socket, .. } = self;
        turn.departures.push(Departure { socket, stream, queue: VecDeque::new(), leaving });
    }
}
