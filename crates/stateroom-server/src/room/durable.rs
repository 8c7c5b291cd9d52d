//! How a room that is kept goes on when the keeper has answered, and when an event has failed.

use super::{
    driven::DrivenRoom,
    kept::not_back,
    turn::{End, Leaving, Turn},
};
use crate::{counters, factory::RoomFactory, kept::requests::Answer, websocket::CloseCode};
use stateroom_room::{Consequence, session::Close};
use std::time::Instant;

impl<F: RoomFactory> DrivenRoom<F> {
    /// Hears what became of what was to be kept.
    pub(super) fn take_answer(
        &mut self,
        answer: Answer,
        turn: &mut Turn<F>,
        now: Instant,
    ) -> Result<(), End> {
        let Some(kept) = self.core.kept() else { return Ok(()) };
        match answer {
            Answer::Kept => {
                let durable = kept.room.durable_events();
                kept.room.kept();
                let (at, events) = kept.submitted;
                let waited = now.saturating_duration_since(at);
                let count = events.saturating_sub(durable);
                counters::add(|counters| counters.durable_latency.add(waited, count));
                self.carry_out_commands(turn, now);
                self.let_go_of_the_answered(now);
            }
            Answer::StateKept { at, bytes } => {
                kept.room.state_has(bytes);
                kept.room.state_kept(at);
            }
            Answer::StateNotKept | Answer::Unsaved(_) => {
                kept.room.state_not_kept();
                kept.asleep_since = kept.asleep_since.map(|_| now);
                self.empty_since = now;
            }
            Answer::Lost(reason) => return Err(End::NotKept(reason)),
        }
        self.submit();
        let Some(kept) = self.core.kept() else { return Ok(()) };
        if kept.room.is_quiet() {
            kept.swap_waits = false;
        }
        self.recover(turn, now)
    }

    /// Has an event that has failed cost only itself, in a room that keeps what it hears.
    pub(super) fn survive(
        &mut self,
        end: End,
        turn: &mut Turn<F>,
        now: Instant,
    ) -> Result<(), End> {
        match (&end, self.core.kept()) {
            (End::Failed(_), Some(kept)) if kept.room.has_failed() => {}
            _ => return Err(end),
        }
        self.submit();
        self.recover(turn, now)
    }

    /// Makes the room again as it was before the event that failed, once all that came before is durable.
    fn recover(&mut self, turn: &mut Turn<F>, now: Instant) -> Result<(), End> {
        let Some(kept) = self.core.kept() else { return Ok(()) };
        if !kept.room.is_to_be_brought_back() {
            return Ok(());
        }
        let reason = kept.room.failure().unwrap_or_default().to_owned();
        self.shared.client_lines.event_failed(&self.id, &reason);
        let (room, took) = kept.archive.bring_back(&self.id, &kept.code).map_err(not_back)?;
        if let Some(summary) = kept.room.failure_summary() {
            self.shared.failed_events.add(summary);
        }
        let consequence = kept.room.back_again(room, self.shared.clock.timestamp(now));
        kept.room.computed(took);
        match consequence {
            Consequence::Close(client, summary) => {
                self.note_offence(client, now);
                if let Some(key) = self.sockets.key_of(client) {
                    self.leaving.push((key, Leaving::Closed(CloseCode::ROOM_FAILED, summary)));
                }
            }
            Consequence::Told(client) => {
                if self.note_offence(client, now)
                    && let Some(key) = self.sockets.key_of(client)
                {
                    self.leaves(key, Leaving::Session(Close::Later), now);
                }
            }
            Consequence::Unanswered(number) => self.request_failed(number, now),
            Consequence::None => {}
        }
        self.carry_out_commands(turn, now);
        self.submit();
        Ok(())
    }
}
