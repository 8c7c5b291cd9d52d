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

/// How long after it failed for the first time a timer is tried again. Each time after that it is twice as
/// long.
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
    Limits,
}

impl Failed {
    pub(crate) fn new(event: Event<'_>, at: u64, time: Timestamp, ended: &RoomEnded) -> Self {
        let cause = match event {
            Event::Text { client, .. } | Event::Binary { client, .. } => Cause::Message(client),
            Event::Connect { .. } => Cause::Connect,
            Event::Disconnect { client } | Event::Forget { client } => Cause::Disconnect(client),
            Event::Timer => Cause::Timer,
            Event::Limits { .. } => Cause::Limits,
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
    failures: u32,
    not_before: Timestamp,
}

impl Retry {
    /// After a failure at the time `now`, with what was known of those before.
    pub(crate) fn after(before: Option<Retry>, deadline: Timestamp, now: Timestamp) -> Self {
        let failures = before.filter(|before| before.deadline == deadline);
        let failures = failures.map_or(0, |before| before.failures);
        let wait = FIRST_RETRY.saturating_mul(1 << failures.min(16)).min(LONGEST_RETRY);
        Retry { deadline, failures: failures.saturating_add(1), not_before: now.after(wait) }
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
        let first = Retry::after(None, at(5), at(5));
        assert_eq!(first.not_before(at(5)), Some(at(6)));
        assert_eq!(first.not_before(at(7)), None, "that is another timer");
        let second = Retry::after(Some(first), at(5), at(6));
        assert_eq!(second.not_before(at(5)), Some(at(8)));
        let many = (0..40).fold(second, |retry, _| Retry::after(Some(retry), at(5), at(100)));
        assert_eq!(many.not_before(at(5)), Some(at(160)));
        assert_eq!(Retry::after(Some(many), at(200), at(200)).not_before(at(200)), Some(at(201)));
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
