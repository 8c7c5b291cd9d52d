//! When an event fails in a room that is kept: what is noted of it, what follows for whoever caused it,
//! and when a timer that failed is tried again.

use crate::{
    event::{Event, describe},
    failure::RoomEnded,
    record::Record,
    timestamp::Timestamp,
};
use stateroom::{ClientId, ServiceFailure};
use std::time::Duration;

/// How long after it failed for the first time a timer is tried again. Each time after that it is about twice
/// as long.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// The longest time.
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// How many bytes of a failed event are kept: of a longer one, the beginning.
const MOST_EVENT_BYTES: usize = 64 * 1024;

/// How many bytes of the reason.
const MOST_REASON_BYTES: usize = 4 * 1024;

/// An event that was set aside since it failed, to be kept for whoever wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// How many events the room had heard before.
    pub at: u64,
    /// When that was, as the room counts time.
    pub time: Timestamp,
    /// What failed, and why: at most 4 KiB.
    pub reason: String,
    /// The event, as in a [`Record`]: its first 64 KiB.
    pub event: Vec<u8>,
}

/// What follows from an event that failed, once the room is as it was before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consequence {
    /// The client that caused it is to be closed, and told why.
    Close(ClientId, &'static str),
    /// The client that caused it has a session, and is told in it.
    Told(ClientId),
    /// The request that caused it, of this number, is to be told that it failed.
    Unanswered(u64),
    /// Nothing more: the client that wanted to join was turned away already, the one that left is gone, or
    /// the timer is tried again later.
    None,
}

/// An event that has failed.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) aside: SetAside,
    pub(crate) cause: Cause,
    pub(crate) failure: ServiceFailure,
}

/// What an event was, as far as something follows from that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    Message(ClientId),
    Connect,
    Disconnect(ClientId),
    Timer,
    Request(u64),
    /// Nobody's but ours.
    Ours,
}

impl Failed {
    pub(crate) fn new(event: Event<'_>, at: u64, time: Timestamp, ended: &RoomEnded) -> Self {
        let cause = match event {
            Event::Text { client, .. } | Event::Binary { client, .. } => Cause::Message(client),
            Event::Connect { .. } | Event::Join { .. } => Cause::Connect,
            Event::Disconnect { client }
            | Event::Leave { client, .. }
            | Event::Forget { client } => Cause::Disconnect(client),
            Event::Timer => Cause::Timer,
            Event::Request { number, .. } => Cause::Request(number),
            Event::Limits { .. }
            | Event::Skip { .. }
            | Event::Incarnate { .. }
            | Event::Claims { .. }
            | Event::Configure { .. } => Cause::Ours,
        };
        let mut bytes = Vec::new();
        Record { after: 0, event, digest: 0 }.write(&mut bytes);
        bytes.truncate(MOST_EVENT_BYTES);
        let mut reason = format!("{} failed: {}", describe(event), ended.failure);
        if reason.len() > MOST_REASON_BYTES {
            reason.truncate(reason.floor_char_boundary(MOST_REASON_BYTES));
        }
        let aside = SetAside { at, time, reason, event: bytes };
        Failed { aside, cause, failure: ended.failure.clone() }
    }
}

/// A timer that has failed, and is still due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Retry {
    /// The deadline that has passed.
    deadline: Timestamp,
    not_before: Timestamp,
}

impl Retry {
    /// After a failure at the time `now`: as long as it has been due already, and a second. So nobody has to
    /// count, and a room that leaves memory in between goes on where it was.
    pub(crate) fn after(deadline: Timestamp, now: Timestamp) -> Self {
        let wait = now.since(deadline).saturating_add(FIRST_RETRY).min(LONGEST_RETRY);
        Retry { deadline, not_before: now.after(wait) }
    }

    /// Before when the timer of this deadline is not tried.
    pub(crate) fn not_before(self, deadline: Timestamp) -> Option<Timestamp> {
        (self.deadline == deadline).then_some(self.not_before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_that_fails_is_tried_again_later_and_later() {
        let at = |seconds| Timestamp::from_origin(Duration::from_secs(seconds));
        let due = at(5);
        assert_eq!(Retry::after(due, due).not_before(at(7)), None, "that is another timer");
        let mut now = due;
        let mut tries = Vec::new();
        while let Some(next) = Retry::after(due, now).not_before(due).filter(|next| *next < at(300))
        {
            tries.push(next.since(due).as_secs());
            now = next;
        }
        assert_eq!(tries, [1, 3, 7, 15, 31, 63, 123, 183, 243]);
    }

    #[test]
    fn of_a_large_event_the_beginning_is_kept() {
        let failure = ServiceFailure { summary: "no", detail: "ä".repeat(10_000) };
        let event = Event::Binary { client: ClientId(1), bytes: &[7; 1 << 20] };
        let failed = Failed::new(event, 3, Timestamp::default(), &RoomEnded { failure });
        assert_eq!(failed.aside.event.len(), MOST_EVENT_BYTES);
        assert!(failed.aside.reason.len() <= MOST_REASON_BYTES);
    }
}
