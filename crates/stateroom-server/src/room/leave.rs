//! How a room lets out: batches that are written, and clients that go.

use super::{
    driven::DrivenRoom,
    turn::{BATCH_BYTES, Departure, End, Leaving, TURN, Turn},
};
use crate::{
    factory::RoomFactory,
    shared::Shared,
    sockets::{Flushed, Trouble},
    websocket::CloseCode,
};
use stateroom_room::Event;
use std::time::{Duration, Instant};

/// How long somebody of whom no more is heard is kept for the answers to what it had said.
const LAST_ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// A connection that ends when all that it has caused is durable, and sent.
#[derive(Debug)]
pub(super) struct AwaitsAnswer {
    key: u32,
    leaving: Leaving,
    /// After how many events of the room no more was heard of it.
    events: u64,
    pub(super) until: Instant,
}

impl<F: RoomFactory> DrivenRoom<F> {
    /// Lets a client go that has said that it goes, sends no more, or broke the protocol: at once, or when
    /// it has had the answers to what it has said.
    pub(super) fn leaves(&mut self, key: u32, leaving: Leaving, now: Instant) {
        let (events, durable) = self.core.events();
        if durable < events {
            let until = now + LAST_ANSWER_TIMEOUT;
            self.awaiting_answers.push(AwaitsAnswer { key, leaving, events, until });
        } else {
            self.leaving.push((key, leaving));
        }
    }

    pub(super) fn awaits_answer(&self, key: u32) -> bool {
        self.awaiting_answers.iter().any(|awaits| awaits.key == key)
    }

    /// Lets those go who have had their answers, or have waited for too long.
    pub(super) fn let_go_of_the_answered(&mut self, now: Instant) {
        if self.awaiting_answers.is_empty() {
            return;
        }
        let (_, durable) = self.core.events();
        let leaving = &mut self.leaving;
        self.awaiting_answers.retain(|awaits| {
            let waits = durable < awaits.events && now < awaits.until;
            if !waits {
                leaving.push((awaits.key, awaits.leaving));
            }
            waits
        });
    }

    /// Writes the batch, and notes whom that showed to be leaving. Tells whether all is written.
    pub(super) fn flush(&mut self, now: Instant) -> bool {
        let Self { sockets, leaving, shared, id, .. } = self;
        if sockets.has_batch() {
            self.last_flush = now;
        }
        let flushed = sockets.flush(shared.queue_limits, |key, trouble| {
            leaving.push(match trouble {
                Trouble::Gone => (key, Leaving::Gone),
                Trouble::TooSlow => (key, too_slow(shared, id)),
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
            let patient = !at_end && !self.flushing && self.leaving.is_empty();
            if patient && now < self.flushes_at() {
                return outcome;
            }
            while !self.flush(now) {
                if !at_end {
                    return outcome;
                }
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
                && self.sockets.batch_bytes() < BATCH_BYTES
                && let Some((key, leaving)) = leaving.next()
            {
                let Some(connection) = self.sockets.remove(key) else { continue };
                self.awaiting_answers.retain(|awaits| awaits.key != key);
                if self.sockets.is_empty() {
                    self.empty_since = now;
                }
                if let Some(client) = connection.client
                    && outcome.is_ok()
                {
                    let event = Event::Disconnect { client };
                    outcome = self.hear(event, turn, now).map_err(End::from);
                }
                let socket = connection.socket;
                let (stream, queue) = connection.into_parts();
                turn.departures.push(Departure { socket, stream, queue, leaving });
            }
            self.leaving.extend(leaving);
        }
    }

    /// Takes leave of everyone, in the way that fits the room's end.
    pub(crate) fn close_all(&mut self, end: &End, turn: &mut Turn<F>, now: Instant) {
        let leaving = match end {
            End::Failed(ended) => {
                self.shared.failed_events.add(ended.failure.summary);
                self.shared.client_lines.room_failed(&self.id, ended);
                Leaving::Closed(CloseCode::ROOM_FAILED, ended.failure.summary)
            }
            End::NotKept(reason) => {
                tracing::error!(room = &*self.id, reason = &**reason, "the room could not be kept");
                let reason = "room failed: what it did could not be saved";
                Leaving::Closed(CloseCode::ROOM_FAILED, reason)
            }
            // Nobody is there.
            End::Forgotten => Leaving::Gone,
            End::ShutDown => {
                self.say_farewell(turn, now);
                let (code, reason) = self.shared.closing();
                Leaving::Closed(code, reason)
            }
        };
        for newcomer in std::mem::take(&mut self.newcomers) {
            newcomer.turn_away(leaving, turn);
        }
        for key in self.sockets.keys() {
            if let Some(connection) = self.sockets.remove(key) {
                let socket = connection.socket;
                let (stream, queue) = connection.into_parts();
                turn.departures.push(Departure { socket, stream, queue, leaving });
            }
        }
    }

    /// The room's last moment before the server ends. One that is kept will go on after it, so
    /// nobody is told that anybody left.
    fn say_farewell(&mut self, turn: &mut Turn<F>, now: Instant) {
        self.submit();
        if let Some(kept) = self.core.kept() {
            if !kept.save_for_good(&self.id) {
                tracing::warn!(
                    room = &*self.id,
                    "the room's state is not saved; it comes back from what it has heard"
                );
            }
            return;
        }
        let members = self.core.room().iter().flat_map(|room| room.members()).collect::<Vec<_>>();
        for client in members {
            if self.hear(Event::Disconnect { client }, turn, now).is_err() {
                break;
            }
        }
    }
}

/// What happens to a client for whom more waits than may.
pub(super) fn too_slow(shared: &Shared, room_id: &str) -> Leaving {
    shared.client_lines.slow(room_id);
    Leaving::Closed(CloseCode::TRY_AGAIN_LATER, "reading too slowly")
}
