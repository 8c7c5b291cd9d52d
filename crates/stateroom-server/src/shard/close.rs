//! How a shard closes clients: those whom their rooms have let go, and those who are not let in.

use super::{
    closing::{Closing, Progress},
    socket_state::{Readiness, SocketState},
    state::Shard,
};
use crate::{
    factory::RoomFactory,
    names::RoomKey,
    request::Rejection,
    room::{Departure, Leaving, Order},
    room_http::Outcome,
    websocket::CloseCode,
};
use mio::net::TcpStream;
use std::collections::VecDeque;

impl<F: RoomFactory> Shard<F> {
    /// Takes over a client that its room has let go.
    pub(super) fn take_over(&mut self, departure: Departure, room: RoomKey) {
        let Departure { socket, stream, queue, leaving } = departure;
        match leaving {
            Leaving::Gone => {
                drop(stream);
                self.set_state(
                    socket,
                    SocketState::Joining { room, readiness: Readiness::Nothing },
                );
                self.free(socket);
            }
            Leaving::Answered(code) => {
                let closing = Closing::new(stream, queue, code, "", false);
                self.begin_closing(socket, closing, Some(room));
            }
            Leaving::Closed(code, reason) => {
                let closing = Closing::new(stream, queue, code, reason, true);
                self.begin_closing(socket, closing, Some(room));
            }
            Leaving::ByService(code, reason) => {
                let closing = Closing::new(stream, queue, code, &reason, true);
                self.begin_closing(socket, closing, Some(room));
            }
            Leaving::Session(close) => {
                let (code, reason) = (CloseCode::of_session(&close), close.to_string());
                let closing = Closing::new(stream, queue, code, &reason, true);
                self.begin_closing(socket, closing, Some(room));
            }
        }
    }

    /// Begins to close a connection, after which its client is no more counted in `room`.
    pub(super) fn begin_closing(&mut self, socket: u32, closing: Closing, room: Option<RoomKey>) {
        self.set_state(socket, SocketState::Closing { closing: Box::new(closing), room });
        self.go_on_closing(socket);
        self.check_after(socket, self.shared.config.closing_timeout);
    }

    pub(super) fn go_on_closing(&mut self, socket: u32) {
        let Some(slot) = self.sockets.get_mut(socket as usize) else { return };
        let SocketState::Closing { closing, .. } = &mut slot.state else { return };
        if closing.go_on() == Progress::Over {
            self.free(socket);
        }
    }

    /// Closes clients whose room does not let them in.
    pub(super) fn refuse(
        &mut self,
        room: RoomKey,
        orders: Vec<Order<F>>,
        code: CloseCode,
        why: &'static str,
    ) {
        for order in orders {
            match order {
                Order::Join(arrival) => {
                    let departure = Departure {
                        socket: arrival.socket,
                        stream: arrival.stream,
                        queue: VecDeque::new(),
                        leaving: Leaving::Closed(code, why),
                    };
                    self.take_over(departure, room);
                }
                // It has not been heard.
                Order::Request(asked) => {
                    asked.reply.send(Outcome::Refused(Rejection::RoomNotOpened));
                }
                _ => {}
            }
        }
    }

    /// Answers a request with an error.
    pub(super) fn reject(&mut self, stream: TcpStream, rejection: &Rejection, socket: u32) {
        self.shared.refusals.add(rejection.label());
        let closing = Closing::with_response(stream, rejection.response());
        self.begin_closing(socket, closing, None);
    }
}
