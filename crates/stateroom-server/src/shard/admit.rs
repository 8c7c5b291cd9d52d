//! How a client gets into a room of this shard.

use super::{
    handshaking::NewClient,
    socket_state::{Readiness, SocketState},
    state::Shard,
};
use crate::{
    factory::RoomFactory,
    names::RoomKey,
    request::{Join, Rejection},
    room::{Arrival, Order, Ready},
    room_http::{Asked, Outcome},
};
use std::io::Write as _;

impl<F: RoomFactory> Shard<F> {
    /// Lets a client into its room, unless there is a reason not to. Its socket is on this
    /// shard already, or not yet.
    pub(super) fn admit(&mut self, new_client: NewClient, known: Option<(u32, Readiness)>) {
        let NewClient { mut stream, join, forwarded_for, early, permit } = new_client;
        // The system tells a shard that it is new to of all that is there to be read.
        let known =
            known.or_else(|| Some((self.register(&mut stream, permit)?, Readiness::Nothing)));
        let Some((socket, readiness)) = known else { return };
        let room = match self.count_in(&join.room_id, join.session.is_some()) {
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
            self.client_is_gone(room);
            return self.free(socket);
        }
        let Join { token, claims, session, .. } = join;
        let arrival = Arrival { stream, socket, forwarded_for, early, token, claims, session };
        self.set_state(socket, SocketState::Joining { room, readiness });
        if let Some(until) = join.until {
            self.expiries.add(until, socket);
        }
        self.rooms.order(room, Order::Join(arrival));
    }

    /// Passes a request on to its room, which need not exist yet, unless there is a reason not to.
    pub(super) fn pass_on(&mut self, asked: Asked) {
        match self.room_called(&asked.room_id) {
            Ok(room) => self.rooms.order(room, Order::Request(asked)),
            Err(rejection) => {
                self.shared.client_lines.turned_away(Some(&asked.room_id), &rejection);
                asked.reply.send(Outcome::Refused(rejection));
            }
        }
    }

    /// The room of this id, which need not exist yet.
    fn room_called(&mut self, room_id: &str) -> Result<RoomKey, Rejection> {
        self.may_come_in()?;
        match self.rooms.find(room_id) {
            Some(room) => Ok(room),
            None if self.shared.occupancy.room_comes(self.shared.config.max_rooms) => {
                Ok(self.rooms.add(room_id))
            }
            None => Err(Rejection::TooManyRooms),
        }
    }

    /// Whether the server takes anything on.
    fn may_come_in(&self) -> Result<(), Rejection> {
        if self.shared.occupancy.is_stopping() {
            return Err(Rejection::Stopping);
        }
        if self.kept.as_ref().is_some_and(|(archive, _)| archive.keeper.is_broken()) {
            return Err(Rejection::NotKept);
        }
        Ok(())
    }

    /// Counts one more client in the room of this id, which need not exist yet. Some with sessions are let through to a
    /// room that is full: one that it knows comes back beside its own socket, whose end was not noticed.
    fn count_in(&mut self, room_id: &str, has_session: bool) -> Result<RoomKey, Rejection> {
        self.may_come_in()?;
        let known = self.rooms.find(room_id);
        let config = &self.shared.config;
        let most = config.max_clients_per_room;
        let beside = if has_session { (most / 8).max(1) } else { 0 };
        if known.is_some_and(|room| self.rooms.clients(room) >= most.saturating_add(beside)) {
            return Err(Rejection::RoomFull);
        }
        if !self.shared.occupancy.client_comes(config.max_clients) {
            return Err(Rejection::ServerFull);
        }
        let room =
            self.room_called(room_id).inspect_err(|_| self.shared.occupancy.client_goes())?;
        self.rooms.client_joins(room);
        Ok(room)
    }

    /// Notes that a client is in its room.
    pub(super) fn has_joined(&mut self, socket: u32, room: RoomKey, connection: u32) {
        let heard = self.tick;
        if let Some(SocketState::Joining { readiness, .. }) = self.take_state(socket)
            && readiness != Readiness::Nothing
        {
            let at_end = readiness == Readiness::AtEnd;
            self.rooms.note(room, Ready { connection, socket, at_end });
        }
        self.set_state(socket, SocketState::Member { room, connection, heard, pinged: false });
        self.heartbeats.watch(socket, self.heartbeats.first_look(heard));
    }
}
