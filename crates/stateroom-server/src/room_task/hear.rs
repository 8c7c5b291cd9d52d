//! How a room's task takes in: clients that arrive, what they send, and their silence.

use super::{Arrival, BATCH_BYTES, Leaving, RoomTask, TURN, leave::too_slow};
use crate::{
    connection::{Connection, Reading},
    heartbeat::{self, Heartbeat},
    rooms::RoomFactory,
    websocket::{Appetite, CloseCode, Decoder, Incoming, encode_ping, encode_pong},
};
use stateroom_room::{Event, RoomEnded};
use std::{cell::RefCell, time::Instant};

/// How much of one socket's input is read before the other sockets have their turn, in bytes.
const READ_AT_ONCE: usize = 64 * 1024;

thread_local! {
    /// Where input is read to; frames are decoded and heard where they lie in it.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_AT_ONCE]);
}

impl<F: RoomFactory> RoomTask<F> {
    /// Lets a client in.
    pub(super) fn admit(&mut self, arrival: Arrival, now: Instant) -> Result<(), RoomEnded> {
        let Arrival { stream, sent_early, token, seat } = arrival;
        let event = Event::Connect { token: token.as_deref() };
        let outcome = self.room.handle(event, self.rooms.clock.timestamp(now));
        let decoder = Decoder::new(self.rooms.config.max_message_bytes);
        let readiness = self.readiness.clone();
        let mut arriving = Some((stream, decoder, seat));
        let mut key = None;
        self.obey(|sockets, client| {
            if let Some((stream, decoder, seat)) = arriving.take() {
                let waker = readiness.socket_waker(sockets.next_key());
                let connection = Connection::new(stream, decoder, waker, client, seat, now);
                key = Some(sockets.insert(client, connection));
            }
        });
        match (key, arriving) {
            (Some(key), _) => {
                let earliest = now + self.rooms.config.heartbeat_interval;
                self.next_heartbeat = self.next_heartbeat.clamp(now, earliest);
                if !sent_early.is_empty() {
                    self.take_input(key, now, |connection, hear| {
                        connection.decode(&mut sent_early.to_vec(), hear)
                    })?;
                }
                // The first look at the socket is what registers its waker.
                self.readiness.note(key);
            }
            (None, Some((stream, _, seat))) => {
                // The room failed before it let the client in.
                let arrival = Arrival { stream, sent_early, token: None, seat };
                let reason = "room failed";
                self.rooms.take_leave(arrival, CloseCode::ROOM_FAILED, reason);
            }
            (None, None) => {}
        }
        outcome
    }

    /// Looks at a socket that is ready: writes what waits, reads what is there.
    pub(super) fn read(&mut self, key: usize, now: Instant) -> Result<(), RoomEnded> {
        let Some(connection) = self.sockets.get_mut(key) else { return Ok(()) };
        if connection.write_queue().is_err() {
            self.leaving.push((key, Leaving::Gone));
            return Ok(());
        }
        self.take_input(key, now, |connection, hear| {
            SCRATCH.with_borrow_mut(|scratch| connection.read(scratch, now, hear))
        })
    }

    /// Lets the room hear the messages that `input` takes from a connection.
    fn take_input(
        &mut self,
        key: usize,
        now: Instant,
        input: impl FnOnce(&mut Connection, &mut dyn FnMut(Incoming<'_>) -> Appetite) -> Reading,
    ) -> Result<(), RoomEnded> {
        let Some(connection) = self.sockets.get_mut(key) else { return Ok(()) };
        let Some(client) = connection.client else { return Ok(()) };
        let timestamp = self.rooms.clock.timestamp(now);
        let room = &mut self.room;
        let mut outcome = Ok(());
        let mut pongs = Vec::new();
        let mut closed = None;
        let reading = input(connection, &mut |incoming| {
            let event = match incoming {
                Incoming::Text(text) => Event::Text { client, text },
                Incoming::Binary(bytes) => Event::Binary { client, bytes },
                Incoming::Ping(payload) => {
                    pongs.extend(encode_pong(payload));
                    return Appetite::Continue(());
                }
                Incoming::Pong => return Appetite::Continue(()),
                Incoming::Close(code) => {
                    closed = Some(code.unwrap_or(CloseCode::NORMAL));
                    return Appetite::Continue(());
                }
            };
            outcome = room.handle(event, timestamp);
            if outcome.is_err() || room.pending_bytes() >= BATCH_BYTES || now.elapsed() >= TURN {
                Appetite::Break(())
            } else {
                Appetite::Continue(())
            }
        });
        if !pongs.is_empty() {
            connection.queue(pongs);
            if connection.write_queue().is_err() {
                self.leaving.push((key, Leaving::Gone));
            } else if connection.queued_bytes() > self.rooms.config.max_queue_bytes {
                self.leaving.push((key, too_slow(&self.id)));
            }
        }
        if let Some(code) = closed {
            self.leaving.push((key, Leaving::Closed(code, "")));
        } else {
            match reading {
                Reading::Waiting => {}
                Reading::More => self.readiness.note(key),
                Reading::Gone => self.leaving.push((key, Leaving::Gone)),
                Reading::Broken(error) => {
                    tracing::info!(room = &*self.id, %client, %error, "the client is closed");
                    let reason = error.close_reason();
                    self.leaving.push((key, Leaving::Closed(error.close_code(), reason)));
                }
            }
        }
        self.obey(|_, _| {});
        outcome
    }

    /// Pings who has been silent, and lets go of who has been silent for too long.
    pub(super) fn beat(&mut self, now: Instant) {
        let Self { sockets, leaving, .. } = self;
        let config = &self.rooms.config;
        let mut next = now + config.heartbeat_interval;
        for (key, connection) in sockets.iter_mut() {
            let (beat, due) = heartbeat::check(config, connection.heard, connection.pinged, now);
            next = next.min(due);
            match beat {
                Heartbeat::Alive => {}
                Heartbeat::Ping => {
                    connection.pinged = true;
                    connection.queue(encode_ping());
                    if connection.write_queue().is_err() {
                        leaving.push((key, Leaving::Gone));
                    }
                }
                Heartbeat::Dead => {
                    tracing::info!(
                        room = &*self.id, client = ?connection.client,
                        "the client has been silent for too long"
                    );
                    leaving.push((key, Leaving::Gone));
                }
            }
        }
        self.next_heartbeat = next;
    }
}
