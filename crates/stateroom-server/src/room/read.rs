//! How a room takes in what its clients send, and their silence.

use super::{
    driven::DrivenRoom,
    turn::{BATCH_BYTES, Leaving, Ready, TURN, Turn},
    write::too_slow,
};
use crate::{
    coarse_deadline::CoarseDeadline,
    connection::{Connection, ReadLimits, Reading},
    factory::RoomFactory,
    scratch::with_scratch,
    websocket::{Appetite, CloseCode, Incoming, encode_ping, encode_pong},
};
use stateroom_room::{MAX_UNKEPT_BYTES, RoomEnded, session::Frame};
use std::time::Instant;

impl<F: RoomFactory> DrivenRoom<F> {
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
        if self.last_answers.has(ready.connection) {
            // It has said all that it will, or what it sends can be read no more.
            return Ok(());
        }
        with_scratch(|scratch| {
            self.take_input(ready, turn, now, |connection, limit, hear| {
                connection.read(scratch, limit, hear)
            })
        })
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
        let session = connection.session();
        let mut outcome = Ok(());
        let mut pongs = Vec::new();
        let mut closed = None;
        let turn_ends = CoarseDeadline::after(TURN);
        let reading = input(connection, &shared.read_limits, &mut |incoming| {
            let frame = match incoming {
                Incoming::Text(text) => Frame::Text(text),
                Incoming::Binary(bytes) => Frame::Binary(bytes),
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
            let Some(event) = core.event_of(session, client, frame, shared, now) else {
                return Appetite::Continue(());
            };
            outcome = core.hear(shared, id, event, now);
            let has_enough = core.room().is_none_or(|room| {
                room.pending_bytes() >= BATCH_BYTES || room.unsubmitted() >= MAX_UNKEPT_BYTES
            });
            if outcome.is_err() || has_enough || turn_ends.has_passed() {
                Appetite::Break(())
            } else {
                Appetite::Continue(())
            }
        });
        if !pongs.is_empty() {
            connection.queue(&pongs, &shared.queue_limits);
            if connection.write_queue().is_err() {
                leaving.push((key, Leaving::Gone));
            } else if connection.has_too_much_queued(&shared.queue_limits) {
                leaving.push((key, too_slow(shared, id)));
            } else {
                sockets.watch_queue(key, &shared.queue_limits);
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
        self.carry_out_commands(turn, now);
        outcome
    }

    /// Pings a client that has been silent.
    pub(super) fn ping(&mut self, socket: Ready) {
        let shared = self.shared.clone();
        let Some(connection) = self.connection(socket) else { return };
        connection.queue(&encode_ping(), &shared.queue_limits);
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

    /// Lets go of a client whose token has expired, as soon as it has had the answers to what it said.
    pub(super) fn let_go_expired(&mut self, socket: Ready, now: Instant) {
        let Some(connection) = self.connection(socket) else { return };
        let Some(client) = connection.client else { return };
        if !self.last_answers.has(socket.connection) {
            self.shared.client_lines.expired(&self.id, client);
            let reason = "the token has expired: log in again";
            self.leaves(socket.connection, Leaving::Closed(CloseCode::LOG_IN_AGAIN, reason), now);
        }
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
