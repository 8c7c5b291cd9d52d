//! A shard's sockets: how they come, change what they are there for, and go.

use super::{
    socket_state::{SocketSlot, SocketState},
    state::Shard,
};
use crate::{connections::Permit, factory::RoomFactory, names::RoomKey};
use mio::{Interest, Token, net::TcpStream};
use std::time::Duration;

impl<F: RoomFactory> Shard<F> {
    /// Takes in a socket, and has the system tell of it.
    pub(super) fn register(
        &mut self,
        stream: &mut TcpStream,
        permit: Option<Permit>,
    ) -> Option<u32> {
        let socket = self.sockets.insert(SocketSlot { state: SocketState::Open, permit });
        let interest = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = self.poll.registry().register(stream, Token(socket), interest) {
            self.shared.client_lines.unwatched(&error);
            self.sockets.remove(socket);
            return None;
        }
        Some(socket as u32) // There are far fewer descriptors than that.
    }

    /// Has the system tell no more of a socket that goes elsewhere.
    pub(super) fn withdraw(&self, stream: &mut TcpStream) {
        // It can only fail for a socket that is broken, which its next owner will notice.
        let _ = self.poll.registry().deregister(stream);
    }

    pub(super) fn set_state(&mut self, socket: u32, state: SocketState) {
        if let Some(slot) = self.sockets.get_mut(socket as usize) {
            if let (Some(permit), Some(kind)) = (&mut slot.permit, state.counted_as()) {
                // None of these takes more than the one before.
                permit.become_kind(kind);
            }
            slot.state = state;
        }
    }

    /// Takes the state of a socket, and leaves it open for the next.
    pub(super) fn take_state(&mut self, socket: u32) -> Option<SocketState> {
        let slot = self.sockets.get_mut(socket as usize)?;
        Some(std::mem::take(&mut slot.state))
    }

    pub(super) fn return_permit(&mut self, socket: u32, permit: Permit) {
        if let Some(slot) = self.sockets.get_mut(socket as usize) {
            slot.permit = Some(permit);
        }
    }

    /// Has a socket looked at when `time` has passed.
    pub(super) fn check_after(&mut self, socket: u32, time: Duration) {
        if self.sockets.contains(socket as usize) {
            let due = self.heartbeats.after(self.tick, time);
            self.heartbeats.watch(socket, due);
        }
    }

    /// Gives a socket up, and counts its client no more.
    pub(super) fn free(&mut self, socket: u32) {
        self.heartbeats.forget(socket);
        self.expiries.forget(socket);
        match self.sockets.try_remove(socket as usize).map(|slot| slot.state) {
            Some(SocketState::Joining { room, .. } | SocketState::Member { room, .. }) => {
                self.client_is_gone(room)
            }
            Some(SocketState::Closing { room: Some(room), .. }) => self.client_is_gone(room),
            _ => {}
        }
    }

    pub(super) fn free_all_of(&mut self, lost: RoomKey) {
        let of_lost = |state: &SocketState| match state {
            SocketState::Joining { room, .. } | SocketState::Member { room, .. } => *room == lost,
            _ => false,
        };
        let sockets: Vec<u32> = self
            .sockets
            .iter()
            .filter(|(_, slot)| of_lost(&slot.state))
            .map(|(socket, _)| socket as u32)
            .collect();
        sockets.into_iter().for_each(|socket| self.free(socket));
    }

    pub(super) fn client_is_gone(&mut self, room: RoomKey) {
        self.shared.occupancy.client_goes();
        if self.rooms.client_leaves(room) {
            self.shared.occupancy.room_goes();
        }
    }
}
