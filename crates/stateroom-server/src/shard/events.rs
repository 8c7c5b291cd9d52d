//! What the system, and the passing of time, tell of a shard's sockets.

use super::{
    socket_state::{Readiness, SocketState},
    state::Shard,
};
use crate::{
    clock::time_of_day,
    factory::RoomFactory,
    heartbeat::Heartbeat,
    room::{Order, Ready},
};
use mio::event::Event;
use std::time::{Duration, Instant};

/// How long the clock is not looked at, which may be set, or go on while the machine rests.
const LOOK_AT_CLOCK: Duration = Duration::from_secs(60);

/// How long a client whose token ends may take to be let in before it is let go.
const JOINING: Duration = Duration::from_secs(1);

impl<F: RoomFactory> Shard<F> {
    /// Something has happened on a socket.
    pub(super) fn notice(&mut self, event: &Event) {
        let socket = event.token().0;
        let Some(slot) = self.sockets.get_mut(socket) else { return };
        let socket = socket as u32; // As it was given out.
        let at_end = event.is_read_closed() || event.is_error();
        match &mut slot.state {
            SocketState::Member { room, connection, heard, pinged } => {
                *heard = self.tick;
                *pinged = false;
                let ready = Ready { connection: *connection, socket, at_end };
                self.rooms.note(*room, ready);
            }
            SocketState::Joining { readiness, .. } => {
                *readiness =
                    if at_end { Readiness::AtEnd } else { Readiness::Ready.max(*readiness) };
            }
            SocketState::Handshaking(_) => self.read_handshake(socket, at_end),
            SocketState::Closing { .. } => self.go_on_closing(socket),
            SocketState::Open => {}
        }
    }

    /// Looks at the sockets that have been quiet for long.
    pub(super) fn check_heartbeats(&mut self, now: Instant) {
        self.shared.totals.collect(self.number);
        let due = self.heartbeats.due(now);
        self.tick = self.heartbeats.tick_at(now);
        for socket in due {
            let Some(slot) = self.sockets.get_mut(socket as usize) else { continue };
            match &mut slot.state {
                SocketState::Member { room, connection, heard, pinged } => {
                    let ready = Ready { connection: *connection, socket, at_end: false };
                    let (order, due) = match self.heartbeats.check(*heard, *pinged, self.tick) {
                        Heartbeat::Alive(due) => (None, due),
                        Heartbeat::Ping(due) => {
                            *pinged = true;
                            (Some(Order::Ping(ready)), due)
                        }
                        Heartbeat::Dead => {
                            (Some(Order::LetGo(ready)), self.heartbeats.first_look(self.tick))
                        }
                    };
                    self.heartbeats.watch(socket, due);
                    if let Some(order) = order {
                        let room = *room;
                        self.rooms.order(room, order);
                    }
                }
                SocketState::Handshaking(_) => self.handshake_timed_out(socket),
                // Its time to go was bounded.
                SocketState::Closing { .. } => self.free(socket),
                SocketState::Open | SocketState::Joining { .. } => {}
            }
        }
    }

    /// Has the clients let go whose token has expired.
    pub(super) fn close_expired(&mut self) {
        if self.expiries.next().is_none() {
            return;
        }
        let now = time_of_day();
        while let Some((_, socket)) = self.expiries.pop_due(now) {
            match self.sockets.get(socket as usize).map(|slot| &slot.state) {
                Some(SocketState::Member { room, connection, .. }) => {
                    let ready = Ready { connection: *connection, socket, at_end: false };
                    self.rooms.order(*room, Order::Expired(ready));
                }
                Some(SocketState::Joining { .. }) => self.expiries.add(now + JOINING, socket),
                _ => {}
            }
        }
    }

    /// When to look for the next whose token has expired.
    pub(super) fn next_expiry(&self, now: Instant) -> Option<Instant> {
        let until = self.expiries.next()?;
        Some(now + until.saturating_sub(time_of_day()).min(LOOK_AT_CLOCK))
    }
}
