//! A shard's sockets: how they come, change what they are there for, and go.

use super::{
    socket_state::{Place, PlaceKind},
    state::Shard,
};
use crate::{connections::Permit, factory::RoomFactory, names::RoomKey};
use mio::{Interest, Token, net::TcpStream};
use std::time::Duration;

impl<F: RoomFactory> Shard<F> {
    /// Gives a socket a place, and has the system tell of it.
    pub(super) fn register(
        &mut self,
        stream: &mut TcpStream,
        permit: Option<Permit>,
    ) -> Option<u32> {
        let socket = self.places.insert(Place { kind: PlaceKind::Open, permit });
        let interest = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = self.poll.registry().register(stream, Token(socket), interest) {
            self.shared.client_lines.unwatched(&error);
            self.places.remove(socket);
            return None;
        }
        Some(socket as u32) // There are far fewer descriptors than that.
    }

    /// Has the system tell no more of a socket that goes elsewhere.
    pub(super) fn withdraw(&self, stream: &mut TcpStream) {
        // It can only fail for a socket that is broken, which its next owner will notice.
        let _ = self.poll.registry().deregister(stream);
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

    pub(super) fn return_permit(&mut self, socket: u32, permit: Permit) {
        if let Some(place) = self.places.get_mut(socket as usize) {
            place.permit = Some(permit);
        }
    }

    /// Has a socket looked at when `time` has passed.
    pub(super) fn look_after(&mut self, socket: u32, time: Duration) {
        if self.places.contains(socket as usize) {
            let due = self.heartbeats.after(self.tick, time);
            self.heartbeats.watch(socket, due);
        }
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

    pub(super) fn free_all_of(&mut self, lost: RoomKey) {
        let of_lost = |kind: &PlaceKind| match kind {
            PlaceKind::Joining { room, .. } | PlaceKind::Member { room, .. } => *room == lost,
            _ => false,
        };
        let sockets: Vec<u32> = self
            .places
            .iter()
            .filter(|(_, place)| of_lost(&place.kind))
            .map(|(socket, _)| socket as u32)
            .collect();
        sockets.into_iter().for_each(|socket| self.free(socket));
    }

    pub(super) fn unseat(&mut self, room: RoomKey) {
        self.shared.census.client_goes();
        if self.rooms.stand_up(room) {
            self.shared.census.room_goes();
        }
    }
}
