//! When an event fails in a room that is kept: the event is set aside, the room goes back to the
//! moment before it, and only the one who caused it hears of it.

use super::{DrivenRoom, End, Leaving, RoomFactory, Turn, keep::not_back};
use crate::websocket::CloseCode;
use stateroom::ClientId;
use stateroom_room::{Event, Record, RoomEnded, Timestamp, describe};
use stateroom_store::Write;
use std::time::{Duration, Instant};

/// This many events may fail within [`WINDOW`] before the room pauses.
const FAILURES: usize = 3;

/// See [`FAILURES`].
const WINDOW: Duration = Duration::from_secs(60);

/// The first pause. Each one that follows soon is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause: less than the time after which clients that are not heard are taken for dead.
const LONGEST_PAUSE: Duration = Duration::from_secs(16);

/// What has gone wrong in a room lately.
#[derive(Debug, Default)]
pub(super) struct Setback {
    failed: Option<Box<Failed>>,
    /// When events failed, the last few.
    recent: Vec<Instant>,
    pauses: u32,
    paused_until: Option<Instant>,
}

/// An event that has failed.
#[derive(Debug)]
struct Failed {
    /// How many events the room had heard before.
    at: u64,
    time: Timestamp,
    description: String,
    event: Vec<u8>,
    consequence: Consequence,
    ended: RoomEnded,
}

/// What is to be done when the room is as it was before.
#[derive(Debug, Clone, Copy)]
enum Consequence {
    /// The client that caused it is closed.
    Close(ClientId),
    /// The one who wanted to join was turned away.
    TurnedAway,
    /// The client that has left is a member no more.
    Forget(ClientId),
    /// The timer is no more.
    SkipTimer,
}

impl Setback {
    /// Notes the event that has just failed.
    pub(super) fn blame(&mut self, event: Event<'_>, now: Timestamp, at: u64, ended: &RoomEnded) {
        if self.failed.is_some() {
            return;
        }
        let consequence = match event {
            Event::Text { client, .. } | Event::Binary { client, .. } => Consequence::Close(client),
            Event::Connect { .. } => Consequence::TurnedAway,
            Event::Disconnect { client } | Event::Forget { client } => Consequence::Forget(client),
            Event::Timer | Event::SkipTimer => Consequence::SkipTimer,
        };
        let mut bytes = Vec::new();
        Record { after: 0, event, digest: 0 }.write(&mut bytes);
        self.failed = Some(Box::new(Failed {
            at,
            time: now,
            description: describe(event).to_string(),
            event: bytes,
            consequence,
            ended: ended.clone(),
        }));
    }

    /// Whether an event has failed and the room has yet to recover.
    pub(super) fn is_on(&self) -> bool {
        self.failed.is_some()
    }

    /// Whether the room can hear nothing for that reason, or for those before it.
    pub(super) fn holds_up(&self) -> bool {
        self.is_on() || self.paused_until.is_some()
    }

    /// When a pause is over.
    pub(super) fn paused_until(&self) -> Option<Instant> {
        self.paused_until
    }

    /// Ends a pause that has lasted long enough.
    pub(super) fn look_at_the_clock(&mut self, now: Instant) {
        self.paused_until = self.paused_until.filter(|until| now < *until);
    }

    /// Counts a failure, and tells for how long the room pauses.
    fn count(&mut self, now: Instant) -> Option<Duration> {
        self.recent.retain(|time| now.saturating_duration_since(*time) < WINDOW);
        if self.recent.is_empty() {
            self.pauses = 0;
        }
        self.recent.push(now);
        if self.recent.len() < FAILURES {
            return None;
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << self.pauses.min(16)).min(LONGEST_PAUSE);
        self.pauses += 1;
        self.paused_until = Some(now + pause);
        Some(pause)
    }
}

impl<F: RoomFactory> DrivenRoom<F> {
    /// Has an event that has failed cost only itself, in a room that is kept.
    pub(super) fn set_aside(
        &mut self,
        end: End,
        turn: &mut Turn<F>,
        now: Instant,
    ) -> Result<(), End> {
        match (&end, &self.keep) {
            (End::Failed(_), Some(keep)) if keep.setback.is_on() => {}
            _ => return Err(end),
        }
        self.submit();
        if self.is_quiet() {
            self.recover(turn, now)?;
        }
        Ok(())
    }

    /// Brings the room back as it was before the event that failed. All that came before is durable.
    pub(super) fn recover(&mut self, turn: &mut Turn<F>, now: Instant) -> Result<(), End> {
        let Some(keep) = &mut self.keep else { return Ok(()) };
        let Some(failed) = keep.setback.failed.take() else { return Ok(()) };
        let Failed { at, time, description, event, consequence, ended } = *failed;
        tracing::error!(
            room = &*self.id, reason = %ended.failure,
            "{description} failed; it is set aside, and the room is as it was before"
        );
        let writes = vec![Write::Quarantine {
            room: self.id.clone(),
            at,
            time: time.nanoseconds(),
            reason: format!("{description}: {}", ended.failure),
            event,
        }];
        keep.request(writes, None);
        if let Some(pause) = keep.setback.count(now) {
            tracing::error!(
                room = &*self.id,
                ?pause,
                "{FAILURES} events of the room failed within a minute; it pauses"
            );
        }
        self.room = None;
        keep.in_memory(&mut self.room, &self.id).map_err(not_back)?;
        match consequence {
            Consequence::Close(client) => {
                if let Some(key) = self.sockets.key_of(client) {
                    let leaving = Leaving::Closed(CloseCode::ROOM_FAILED, ended.failure.summary);
                    self.leaving.push((key, leaving));
                }
            }
            Consequence::TurnedAway => {}
            Consequence::Forget(client) => self.hear(Event::Forget { client }, turn, now)?,
            Consequence::SkipTimer => self.hear(Event::SkipTimer, turn, now)?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_whose_events_fail_again_and_again_pauses_for_longer_and_longer() {
        let mut setback = Setback::default();
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(setback.count(at(0)), None);
        assert_eq!(setback.count(at(1)), None);
        assert_eq!(setback.count(at(2)), Some(FIRST_PAUSE));
        setback.look_at_the_clock(at(2));
        assert!(setback.holds_up());
        setback.look_at_the_clock(at(3));
        assert!(!setback.holds_up());
        assert_eq!(setback.count(at(4)), Some(2 * FIRST_PAUSE));
        for second in 5..20 {
            setback.count(at(second));
        }
        assert_eq!(setback.count(at(20)), Some(LONGEST_PAUSE));
        assert_eq!(setback.count(at(100)), None, "a minute without a failure forgets them");
    }
}
