//! How a client gets into a room of this shard.

use super::{
    handshaking::Guest,
    socket_state::{News, PlaceKind},
    state::Shard,
};
use crate::{
    factory::RoomFactory,
    names::RoomKey,
    request::Rejection,
    room::{Arrival, Order, Ready},
};
use std::io::Write as _;

impl<F: RoomFactory> Shard<F> {
    /// Lets a client into its room, unless there is a reason not to. Its socket has a place on this
    /// shard already, or not yet.
    pub(super) fn admit(&mut self, guest: Guest, place: Option<(u32, News)>) {
        let Guest { mut stream, join, early, permit } = guest;
        // The system tells a shard that it is new to of all that is there to be read.
        let place = place.or_else(|| Some((self.register(&mut stream, permit)?, News::None)));
        let Some((socket, news)) = place else { return };
        let room = match self.seat(&join.room_id) {
            Ok(room) => room,
            Err(rejection) => {
                self.shared.client_lines.turned_away(Some(&join.room_id), &rejection);
                return self.reject(stream, &rejection, socket);
            }
        };
        let response = join.response();
        let opened = stream.write(response.as_bytes());
        // A socket this fresh takes it whole, unless its client has gone.
        if !opened.is_ok_and(|written| written == response.len()) {
            self.unseat(room);
            return self.free(socket);
        }
        let arrival = Arrival { stream, socket, early, token: join.token };
        self.set_place(socket, PlaceKind::Joining { room, news });
        self.rooms.order(room, Order::Join(arrival));
    }

    /// Takes a seat for one more client in the room of this id, which need not exist yet.
    fn seat(&mut self, room_id: &str) -> Result<RoomKey, Rejection> {
        let config = &self.shared.config;
        let census = &self.shared.census;
        if census.is_stopping() {
            return Err(Rejection::Stopping);
        }
        if self.kept.as_ref().is_some_and(|(archive, _)| archive.keeper.is_broken()) {
            return Err(Rejection::NotKept);
        }
        let known = self.rooms.find(room_id);
        if known.is_some_and(|room| self.rooms.seats(room) >= config.max_clients_per_room) {
            return Err(Rejection::RoomFull);
        }
        if !census.client_comes(config.max_clients) {
            return Err(Rejection::ServerFull);
        }
        let room = match known {
            Some(room) => room,
            None if census.room_comes(config.max_rooms) => self.rooms.add(room_id),
            None => {
                census.client_goes();
                return Err(Rejection::TooManyRooms);
            }
        };
        self.rooms.sit_down(room);
        Ok(room)
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
}
