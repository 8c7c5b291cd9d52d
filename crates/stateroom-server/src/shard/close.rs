//! How a shard closes clients: those whom their rooms have let go, and those who are not let in.

use super::{
    farewell::{Farewell, Progress},
    socket_state::{News, PlaceKind},
    state::Shard,
};
use crate::{
    factory::RoomFactory,
    names::RoomKey,
    request::Rejection,
    room::{Departure, Leaving, Order},
    websocket::CloseCode,
};
use mio::net::TcpStream;
use std::collections::VecDeque;

impl<F: RoomFactory> Shard<F> {
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

    pub(super) fn go_on_leaving(&mut self, socket: u32) {
        let Some(place) = self.places.get_mut(socket as usize) else { return };
        let PlaceKind::Leaving { farewell, .. } = &mut place.kind else { return };
        if farewell.go_on() == Progress::Over {
            self.free(socket);
        }
    }

    /// Takes leave of clients whose room does not let them in.
    pub(super) fn refuse(
        &mut self,
        room: RoomKey,
        orders: Vec<Order<F>>,
        code: CloseCode,
        why: &'static str,
    ) {
        for order in orders {
            if let Order::Join(arrival) = order {
                let departure = Departure {
                    socket: arrival.socket,
                    stream: arrival.stream,
                    queue: VecDeque::new(),
                    leaving: Leaving::Closed(code, why),
                };
                self.part(departure, room);
            }
        }
    }

    /// Answers a request with an error.
    pub(super) fn reject(&mut self, stream: TcpStream, rejection: &Rejection, socket: u32) {
        self.shared.refusals.add(rejection.label());
        let farewell = Farewell::with_response(stream, rejection.response());
        self.take_leave(socket, farewell, None);
    }
}
