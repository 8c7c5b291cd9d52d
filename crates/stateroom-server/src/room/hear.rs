//! How a room takes in: clients that arrive, what they send, and their silence.

use super::{
    driven::DrivenRoom,
    leave::too_slow,
    offenders::Who,
    turn::{Arrival, BATCH_BYTES, Departure, Joined, Leaving, Ready, TURN, Turn},
};
use crate::{
    connection::{Connection, ReadLimits, Reading},
    factory::RoomFactory,
    scratch::with_scratch,
    sockets::Sockets,
    websocket::{Appetite, CloseCode, Incoming, encode_ping, encode_pong},
};
use mio::net::TcpStream;
use stateroom::ClientId;
use stateroom_room::{Event, MAX_UNKEPT_BYTES, RoomEnded};
use std::{collections::VecDeque, time::Instant};

/// A client that the room has heard of, and will let in.
pub(super) struct Newcomer {
    stream: TcpStream,
    socket: u32,
    /// What it sent right after the handshake.
    early: Vec<u8>,
}

impl Newcomer {
    /// The newcomer is a client now.
    pub(super) fn settle_in<F>(
        self,
        client: ClientId,
        sockets: &mut Sockets,
        early_input: &mut Vec<(Ready, Vec<u8>)>,
        turn: &mut Turn<F>,
    ) {
        let Newcomer { stream, socket, early } = self;
        let connection = sockets.insert(client, Connection::new(stream, socket, client));
        turn.joined.push(Joined { socket, connection });
        if !early.is_empty() {
            early_input.push((Ready { connection, socket, at_end: false }, early));
        }
    }

    /// The newcomer is not let in after all.
    pub(super) fn turn_away<F>(self, leaving: Leaving, turn: &mut Turn<F>) {
        let Newcomer { stream, socket, .. } = self;
        turn.departures.push(Departure { socket, stream, queue: VecDeque::new(), leaving });
    }
}

impl<F: RoomFactory> DrivenRoom<F> {
    /// Lets a client in, as soon as the room says so.
    pub(super) fn admit(
        &mut self,
        arrival: Arrival,
        turn: &mut Turn<F>,
        now: Instant,
    ) -> Result<(), RoomEnded> {
        let Arrival { stream, socket, early, token } = arrival;
        let newcomer = Newcomer { stream, socket, early };
        if self.is_kept_away(&newcomer, token.as_deref(), now) {
            let reason = "messages of yours made the room fail; come back later";
            newcomer.turn_away(Leaving::Closed(CloseCode::POLICY, reason), turn);
            return Ok(());
        }
        self.newcomers.push_back(newcomer);
        let event = Event::Connect { token: token.as_deref() };
        let outcome = self.hear(event, turn, now);
        if let Err(ended) = &outcome
            && let Some(newcomer) = self.newcomers.pop_back()
        {
            // The room failed before it let the client in.
            let reason = ended.failure.summary;
            newcomer.turn_away(Leaving::Closed(CloseCode::ROOM_FAILED, reason), turn);
        }
        outcome
    }

    /// Lets the room hear what a client that it has let in had sent before.
    pub(super) fn hear_early(
        &mut self,
        ready: Ready,
        mut early: Vec<u8>,
        turn: &mut Turn<F>,
        now: Instant,
    ) -> Result<(), RoomEnded> {
        if self.connection(ready).is_none() {
            return Ok(());
        }
        self.take_input(ready, turn, now, |connection, limit, hear| {
            connection.decode(&mut early, limit, hear)
        })
    }

    /// Looks at a socket that is ready: writes what waits, reads what is there.
    pub(super) fn read(
        &mut self,
        ready: Ready,
        turn: &mut Turn<F>,
        now: Instant,
    ) -> Result<(), RoomEnded> {
        let Some(connection) = self.connection(ready) else { return Ok(()) };
        if ready.at_end {
            connection.drain();
        }
        if connection.write_queue().is_err() {
            self.leaving.push((ready.connection, Leaving::Gone));
            return Ok(());
        }
        if self.awaits_answer(ready.connection) {
            // It has said all that it will, or what it sends can be read no more.
            return Ok(());
        }
        with_scratch(|scratch| {
            self.take_input(ready, turn, now, |connection, limit, hear| {
                connection.read(scratch, limit, hear)
            })
        })
    }

    /// Lets the room hear the messages that `input` takes from a connection.
    fn take_input(
        &mut self,
        ready: Ready,
        turn: &mut Turn<F>,
        now: Instant,
        input: impl FnOnce(
            &mut Connection,
            &ReadLimits,
            &mut dyn FnMut(Incoming<'_>) -> Appetite,
        ) -> Reading,
    ) -> Result<(), RoomEnded> {
        let key = ready.connection;
        let Self { core, sockets, leaving, shared, id, turns, .. } = self;
        let Some(connection) = sockets.get_mut(key) else { return Ok(()) };
        let Some(client) = connection.client else { return Ok(()) };
        let mut outcome = Ok(());
        let mut pongs = Vec::new();
        let mut closed = None;
        let reading = input(connection, &shared.read_limits, &mut |incoming| {
            let event = match incoming {
                Incoming::Text(text) => Event::Text { client, text },
                Incoming::Binary(bytes) => Event::Binary { client, bytes },
                Incoming::Ping(payload) => {
                    pongs.extend(encode_pong(payload));
                    return Appetite::Continue(());
                }
                Incoming::Pong => return Appetite::Continue(()),
                Incoming::Close(code) => {
                    closed = Some(code);
                    return Appetite::Continue(());
                }
            };
            outcome = core.hear(shared, id, event, now);
            let has_enough = core.room().is_none_or(|room| {
                room.pending_bytes() >= BATCH_BYTES || room.unsubmitted() >= MAX_UNKEPT_BYTES
            });
            if outcome.is_err() || has_enough || now.elapsed() >= TURN {
                Appetite::Break(())
            } else {
                Appetite::Continue(())
            }
        });
        if !pongs.is_empty() {
            connection.queue(pongs);
            if connection.write_queue().is_err() {
                leaving.push((key, Leaving::Gone));
            } else if connection.has_too_much_queued(shared.queue_limits.bytes) {
                leaving.push((key, too_slow(shared, id)));
            } else {
                sockets.watch_queue(key, shared.queue_limits);
            }
        }
        if let Some(code) = closed {
            self.leaves(key, Leaving::Answered(code), now);
        } else {
            match reading {
                Reading::Waiting => {}
                Reading::More => {
                    if sockets.get_mut(key).is_some_and(|it| it.list(*turns)) {
                        turn.again.push(ready);
                    }
                }
                Reading::Gone => self.leaves(key, Leaving::Gone, now),
                Reading::Broken(error) => {
                    shared.client_lines.broken(id, client, &error);
                    let reason = error.close_reason();
                    self.leaves(key, Leaving::Closed(error.close_code(), reason), now);
                }
            }
        }
        self.obey(turn);
        outcome
    }

    /// Pings a client that has been silent.
    pub(super) fn ping(&mut self, socket: Ready) {
        let Some(connection) = self.connection(socket) else { return };
        connection.queue(encode_ping());
        if connection.write_queue().is_err() {
            self.leaving.push((socket.connection, Leaving::Gone));
        }
    }

    /// Lets go of a client that has been silent for too long.
    pub(super) fn let_go_silent(&mut self, socket: Ready) {
        let Some(connection) = self.connection(socket) else { return };
        let client = connection.client;
        self.shared.client_lines.silent(&self.id, client);
        self.leaving.push((socket.connection, Leaving::Gone));
    }

    /// Notes that a message of `client` made the room fail: by its token, or else by where it comes from,
    /// unless somebody else in the room comes from there too.
    pub(super) fn note_offence(&mut self, client: ClientId, now: Instant) {
        let Some(key) = self.sockets.key_of(client) else { return };
        let token = self.core.room().and_then(|room| room.token(client));
        let who = match token {
            Some(token) => Who::Token(token.into()),
            None => {
                let Some(address) = self.sockets.address(key) else { return };
                let mut others = self.sockets.keys().into_iter().filter(|other| *other != key);
                if others.any(|other| self.sockets.address(other) == Some(address)) {
                    return;
                }
                Who::Address(address)
            }
        };
        self.offenders.get_or_insert_default().note(who, now);
    }

    fn is_kept_away(&self, newcomer: &Newcomer, token: Option<&str>, now: Instant) -> bool {
        let Some(offenders) = self.offenders.as_ref().filter(|some| !some.is_empty()) else {
            return false;
        };
        let by_token = token.map(|token| Who::Token(token.into()));
        let address = newcomer.stream.peer_addr().ok().map(|address| address.ip());
        [by_token, address.map(Who::Address)]
            .into_iter()
            .flatten()
            .any(|who| offenders.away_until(&who, now).is_some())
    }

    /// Whether a connection that is ready has to be put on the list of those to look at.
    pub(super) fn list(&mut self, ready: Ready) -> bool {
        let turn = self.turns;
        self.connection(ready).is_some_and(|connection| {
            if ready.at_end {
                connection.drain();
            }
            connection.list(turn)
        })
    }

    /// The connection that is meant, if it is still there.
    fn connection(&mut self, ready: Ready) -> Option<&mut Connection> {
        let connection = self.sockets.get_mut(ready.connection)?;
        (connection.socket == ready.socket).then_some(connection)
    }
}
