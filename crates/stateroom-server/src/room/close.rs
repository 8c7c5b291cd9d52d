//! How a room is over: everyone in it is closed, in the way that fits its end.

use super::{
    driven::DrivenRoom,
    turn::{Departure, End, Leaving, Turn},
};
use crate::{factory::RoomFactory, websocket::CloseCode};
use stateroom::LeaveReason;
use stateroom_room::Event;
use std::time::Instant;

impl<F: RoomFactory> DrivenRoom<F> {
    /// Closes every client, in the way that fits the room's end.
    pub(crate) fn close_all(&mut self, end: &End, turn: &mut Turn<F>, now: Instant) {
        let leaving = match end {
            End::Failed(ended) => {
                self.shared.failed_events.add(ended.failure.summary);
                self.shared.client_lines.room_failed(&self.id, ended);
                Leaving::Closed(CloseCode::ROOM_FAILED, ended.failure.summary)
            }
            End::NotKept(reason) => {
                self.shared.client_lines.room_not_kept(&self.id, reason);
                let reason = "room failed: what it did could not be saved";
                Leaving::Closed(CloseCode::ROOM_FAILED, reason)
            }
            // Nobody is there.
            End::Forgotten => Leaving::Gone,
            End::ShutDown => {
                self.prepare_for_shutdown(turn, now);
                let (code, reason) = self.shared.closing();
                Leaving::Closed(code, reason)
            }
        };
        self.end_requests(end);
        let newcomers = std::mem::take(&mut self.newcomers).into_iter().flatten();
        let waiting = self.session_sockets.iter_mut().flat_map(|sockets| sockets.take_waiting());
        for newcomer in newcomers.chain(waiting) {
            newcomer.turn_away(leaving.clone(), turn);
        }
        for key in self.sockets.keys() {
            if let Some(connection) = self.sockets.remove(key) {
                let socket = connection.socket;
                let (stream, queue) = connection.into_parts();
                turn.departures.push(Departure { socket, stream, queue, leaving: leaving.clone() });
            }
        }
    }

    /// The room's last moment before the server ends. One that is kept will go on after it, so
    /// nobody is told that anybody left.
    fn prepare_for_shutdown(&mut self, turn: &mut Turn<F>, now: Instant) {
        self.submit();
        if let Some(kept) = self.core.kept() {
            if let Err(reason) = kept.save_for_good(&self.id) {
                kept.archive.tell_of_unsaved(&self.id, &reason);
            }
            return;
        }
        let members = self.core.room().iter().flat_map(|room| room.members()).collect::<Vec<_>>();
        for client in members {
            let event = Event::Leave { client, reason: LeaveReason::TurnedOut };
            if self.hear(event, turn, now).is_err() {
                break;
            }
        }
    }
}
