//! How a room lets out: batches that are written, and clients that go.

use super::{
    driven::DrivenRoom,
    turn::{BATCH_BYTES, Departure, End, Leaving, TURN, Turn},
};
use crate::{
    connection::Trouble, factory::RoomFactory, shared::Shared, sockets::Flushed,
    websocket::CloseCode,
};
use stateroom_room::Event;
use std::time::Instant;

impl<F: RoomFactory> DrivenRoom<F> {
    /// Lets a client go that has said that it goes, sends no more, or broke the protocol: at once, or when
    /// it has had the answers to what it has said.
    pub(super) fn leaves(&mut self, key: u32, leaving: Leaving, now: Instant) {
        let (events, durable) = self.core.events();
        if durable < events {
            self.last_answers.wait(key, leaving, events, now);
        } else {
            self.leaving.push((key, leaving));
        }
    }

    /// Lets those go who have had their answers, or have waited for too long.
    pub(super) fn let_go_of_the_answered(&mut self, now: Instant) {
        if !self.last_answers.is_empty() {
            let (_, durable) = self.core.events();
            self.last_answers.settle(durable, now, &mut self.leaving);
        }
    }

    /// Writes the batch, and notes whom that showed to be leaving. Tells whether all is written.
    pub(super) fn flush(&mut self, now: Instant) -> bool {
        let Self { sockets, leaving, shared, id, .. } = self;
        if sockets.has_batch() {
            self.last_flush = now;
        }
        let flushed = sockets.flush(&shared.queue_limits, |key, trouble| {
            leaving.push(match trouble {
                Trouble::Gone => (key, Leaving::Gone),
                Trouble::TooSlow => (key, too_slow(shared, id)),
                Trouble::CutOff => {
                    shared.client_lines.slow(id);
                    (key, Leaving::Gone)
                }
            });
        });
        self.flushing = flushed == Flushed::Some;
        !self.flushing
    }

    /// Writes the batch, unless it is worth waiting for more; lets go of who leaves, and again
    /// while that has consequences. Those for whom there is no time leave in the next turn.
    pub(super) fn write_everything(
        &mut self,
        turn: &mut Turn<F>,
        now: Instant,
        at_end: bool,
    ) -> Result<(), End> {
        let mut outcome = Ok(());
        let mut start = None;
        loop {
            let goes_on = self.flushing || self.has_more_to_say;
            let patient = !at_end && !goes_on && self.leaving.is_empty();
            if patient && now < self.flushes_at() {
                return outcome;
            }
            while !self.flush(now) {
                if !at_end {
                    return outcome;
                }
            }
            if self.has_more_to_say {
                // Those who leave are to have it too.
                if !at_end {
                    return outcome;
                }
                self.carry_out_commands(turn, now);
                continue;
            }
            if self.leaving.is_empty() || self.is_blocked() {
                return outcome;
            }
            let start = *start.get_or_insert_with(Instant::now);
            let has_time =
                |outcome: &Result<(), End>| at_end || outcome.is_err() || start.elapsed() < TURN;
            if !has_time(&outcome) {
                return outcome;
            }
            let mut leaving = std::mem::take(&mut self.leaving).into_iter();
            while has_time(&outcome)
                && !self.is_blocked()
                && !self.has_more_to_say
                && self.sockets.batch_bytes() < BATCH_BYTES
                && let Some((key, leaving)) = leaving.next()
            {
                let Some(connection) = self.sockets.remove(key) else { continue };
                self.last_answers.forget(key);
                if self.sockets.is_empty() {
                    self.empty_since = now;
                }
                let left = match connection.session() {
                    None => connection.client.filter(|client| !self.core.is_replaced(*client)),
                    Some(socket) => {
                        let is_over = matches!(leaving, Leaving::Answered(CloseCode::NORMAL));
                        self.session_ended(socket, is_over, now)
                    }
                };
                if let Some(client) = left
                    && outcome.is_ok()
                {
                    let event = Event::Leave { client, reason: leaving.reason() };
                    outcome = self.hear(event, turn, now).map_err(End::from);
                }
                let socket = connection.socket;
                let (stream, queue) = connection.into_parts();
                turn.departures.push(Departure { socket, stream, queue, leaving });
            }
            self.leaving.extend(leaving);
        }
    }
}

/// What happens to a client for whom more waits than may.
pub(super) fn too_slow(shared: &Shared, room_id: &str) -> Leaving {
    shared.client_lines.slow(room_id);
    Leaving::Closed(CloseCode::TRY_AGAIN_LATER, "reading too slowly")
}
