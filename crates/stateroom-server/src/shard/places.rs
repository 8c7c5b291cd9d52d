//! What each of a shard's sockets is there for, from its first byte to its last.

use super::{
    Shard,
    farewell::{Farewell, Progress},
    guests::Greeting,
};
use crate::{
    connections::{Kind, Permit},
    factory::RoomFactory,
    heartbeat::Heartbeat,
    names::RoomKey,
    room::{Departure, Leaving, Order, Ready},
};
use mio::event::Event;
use std::time::{Duration, Instant};

/// One socket of a shard.
#[derive(Debug, Default)]
pub(crate) struct Place {
    pub(super) kind: PlaceKind,
    /// Its part in the count of all connections.
    pub(super) permit: Option<Permit>,
}

/// What a socket is there for.
#[derive(Debug, Default)]
pub(crate) enum PlaceKind {
    /// That is just being decided.
    #[default]
    Open,
    /// Its request has not been read whole.
    Greeting(Box<Greeting>),
    /// Its client has a seat in a room, which has yet to let it in.
    Joining {
        room: RoomKey,
        /// What has happened on it meanwhile.
        news: News,
    },
    /// It is a client's. The room has the socket itself.
    Member {
        room: RoomKey,
        /// The room's key of it.
        connection: u32,
        /// The tick at which the client was heard last.
        heard: u32,
        pinged: bool,
    },
    /// Its client is being taken leave of, and keeps its seat until that is done.
    Leaving { farewell: Box<Farewell>, room: Option<RoomKey> },
}

impl PlaceKind {
    /// As what it is counted; `None` while that is being decided.
    fn counted_as(&self) -> Option<Kind> {
        match self {
            PlaceKind::Open => None,
            PlaceKind::Greeting(_) => Some(Kind::Greeting),
            PlaceKind::Joining { .. } | PlaceKind::Member { .. } => Some(Kind::WebSocket),
            PlaceKind::Leaving { .. } => Some(Kind::Closing),
        }
    }
}

/// What the system has told of a socket that nobody has looked at yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum News {
    /// Nothing.
    None,
    /// There may be something to read.
    Ready,
    /// The same, and the other side sends no more after it.
    AtEnd,
}

impl<F: RoomFactory> Shard<F> {
    /// Something has happened on a socket.
    pub(super) fn notice(&mut self, event: &Event) {
        let socket = event.token().0;
        let Some(place) = self.places.get_mut(socket) else { return };
        let socket = socket as u32; // As it was given out.
        let at_end = event.is_read_closed() || event.is_error();
        match &mut place.kind {
            PlaceKind::Member { room, connection, heard, pinged } => {
                *heard = self.tick;
                *pinged = false;
                let ready = Ready { connection: *connection, socket, at_end };
                self.rooms.note(*room, ready);
            }
            PlaceKind::Joining { news, .. } => {
                *news = if at_end { News::AtEnd } else { News::Ready.max(*news) };
            }
            PlaceKind::Greeting(_) => self.greet(socket, at_end),
            PlaceKind::Leaving { .. } => self.go_on_leaving(socket),
            PlaceKind::Open => {}
        }
    }

    /// Looks at the sockets that have been quiet for long.
    pub(super) fn look_at_the_quiet(&mut self, now: Instant) {
        self.shared.metrics.collect(self.number);
        let due = self.heartbeats.due(now);
        self.tick = self.heartbeats.tick_at(now);
        for socket in due {
            let Some(place) = self.places.get_mut(socket as usize) else { continue };
            match &mut place.kind {
                PlaceKind::Member { room, connection, heard, pinged } => {
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
                        self.order(room, order);
                    }
                }
                // Their patience was bounded.
                PlaceKind::Greeting(_) | PlaceKind::Leaving { .. } => self.free(socket),
                PlaceKind::Open | PlaceKind::Joining { .. } => {}
            }
        }
    }

    /// Notes that a client is in its room.
    pub(super) fn settle_in(&mut self, socket: u32, room: RoomKey, connection: u32) {
        let heard = self.tick;
        if let Some(PlaceKind::Joining { news, .. }) = self.vacate(socket)
            && news != News::None
        {
            let at_end = news == News::AtEnd;
            self.rooms.note(room, Ready { connection, socket, at_end });
        }
        self.set_place(socket, PlaceKind::Member { room, connection, heard, pinged: false });
        self.heartbeats.watch(socket, self.heartbeats.first_look(heard));
    }

    /// Takes over a client that its room has let go.
    pub(super) fn part(&mut self, departure: Departure, room: RoomKey) {
        let Departure { socket, stream, queue, leaving } = departure;
        match leaving {
            Leaving::Gone => {
                drop(stream);
                self.set_place(socket, PlaceKind::Joining { room, news: News::None });
                self.free(socket);
            }
            Leaving::Answered(code) => {
                let farewell = Farewell::new(stream, queue, code, "", false);
                self.take_leave(socket, farewell, Some(room));
            }
            Leaving::Closed(code, reason) => {
                let farewell = Farewell::new(stream, queue, code, reason, true);
                self.take_leave(socket, farewell, Some(room));
            }
        }
    }

    /// Begins a farewell, after which the seat in `room` is given back.
    pub(super) fn take_leave(&mut self, socket: u32, farewell: Farewell, room: Option<RoomKey>) {
        self.set_place(socket, PlaceKind::Leaving { farewell: Box::new(farewell), room });
        self.go_on_leaving(socket);
        self.look_after(socket, self.shared.config.closing_timeout);
    }

    fn go_on_leaving(&mut self, socket: u32) {
        let Some(place) = self.places.get_mut(socket as usize) else { return };
        let PlaceKind::Leaving { farewell, .. } = &mut place.kind else { return };
        if farewell.go_on() == Progress::Over {
            self.free(socket);
        }
    }

    /// Has a socket looked at when `time` has passed.
    pub(super) fn look_after(&mut self, socket: u32, time: Duration) {
        if self.places.contains(socket as usize) {
            let due = self.heartbeats.after(self.tick, time);
            self.heartbeats.watch(socket, due);
        }
    }

    pub(super) fn set_place(&mut self, socket: u32, kind: PlaceKind) {
        if let Some(place) = self.places.get_mut(socket as usize) {
            if let (Some(permit), Some(kind)) = (&mut place.permit, kind.counted_as()) {
                // None of these takes more than the one before.
                permit.become_kind(kind);
            }
            place.kind = kind;
        }
    }

    /// Takes what a place holds, and leaves it open for what comes next.
    pub(super) fn vacate(&mut self, socket: u32) -> Option<PlaceKind> {
        let place = self.places.get_mut(socket as usize)?;
        Some(std::mem::take(&mut place.kind))
    }

    /// Gives a place up, with the seat and the socket that go with it.
    pub(super) fn free(&mut self, socket: u32) {
        self.heartbeats.forget(socket);
        match self.places.try_remove(socket as usize).map(|place| place.kind) {
            Some(PlaceKind::Joining { room, .. } | PlaceKind::Member { room, .. }) => {
                self.unseat(room)
            }
            Some(PlaceKind::Leaving { room: Some(room), .. }) => self.unseat(room),
            _ => {}
        }
    }
}
