//! Lets a line into the log once a second at most, however often clients give reason for it.

use crate::{lock::lock, request::Rejection};
use stateroom::ClientId;
use std::{
    fmt::Display,
    sync::Mutex,
    time::{Duration, Instant},
};

/// How long it is from one line to the next, at least.
const BETWEEN_LINES: Duration = Duration::from_secs(1);

/// Counts what is not told of.
#[derive(Debug, Default)]
pub(crate) struct Sometimes(Mutex<Count>);

impl Sometimes {
    /// How often it has happened.
    fn all(&self) -> u64 {
        lock(&self.0).all
    }
}

#[derive(Debug, Default)]
struct Count {
    last_line: Option<Instant>,
    untold: u64,
    all: u64,
}

impl Sometimes {
    /// Something has happened that would be worth a line. `Some` if there may be one: with how many
    /// times it has happened since the last line without one.
    pub(crate) fn may_tell(&self, now: Instant) -> Option<u64> {
        let mut count = lock(&self.0);
        count.all += 1;
        let last = count.last_line;
        if last.is_some_and(|last| now.saturating_duration_since(last) < BETWEEN_LINES) {
            count.untold += 1;
            return None;
        }
        count.last_line = Some(now);
        Some(std::mem::take(&mut count.untold))
    }
}

/// The lines that clients cause, each of which says how often there was reason for it without a line.
#[derive(Debug, Default)]
pub(crate) struct ClientLines {
    turned_away: Sometimes,
    refused: Sometimes,
    expired: Sometimes,
    slow: Sometimes,
    silent: Sometimes,
    broken: Sometimes,
    unwatched: Sometimes,
    failed: Sometimes,
    not_opened: Sometimes,
    not_kept: Sometimes,
    set_aside: Sometimes,
    old_code: Sometimes,
    kept_away: Sometimes,
}

impl ClientLines {
    /// How many clients were closed, by reason.
    pub(crate) fn closed(&self) -> [(&'static str, u64); 4] {
        let (slow, silent, broken) = (self.slow.all(), self.silent.all(), self.broken.all());
        [("slow", slow), ("silent", silent), ("broken", broken), ("expired", self.expired.all())]
    }

    /// A client does not get into the room it asked for.
    pub(crate) fn turned_away(&self, room: Option<&str>, reason: &Rejection) {
        if let Some(as_well) = self.turned_away.may_tell(Instant::now()) {
            let setting = reason.setting();
            tracing::warn!(room, %reason, setting, as_well, "a client was turned away");
        }
    }

    /// A client is refused for its token, for the page that it is, or for a session that there can't be.
    pub(crate) fn refused(&self, reason: &Rejection) {
        if let Some(as_well) = self.refused.may_tell(Instant::now()) {
            let setting = reason.setting();
            tracing::warn!(%reason, setting, as_well, "a client may not come in");
        }
    }

    /// A client is closed because its token has expired.
    pub(crate) fn expired(&self, room: &str, client: ClientId) {
        if let Some(as_well) = self.expired.may_tell(Instant::now()) {
            tracing::info!(room, %client, as_well, "the client's token has expired");
        }
    }

    /// A client is closed because it does not read what is sent to it.
    pub(crate) fn slow(&self, room: &str) {
        if let Some(as_well) = self.slow.may_tell(Instant::now()) {
            tracing::warn!(
                room,
                as_well,
                "a client reads too slowly and is closed (`max_queue_bytes`, `max_queued_bytes`, \
                 `slow_reader_timeout`)"
            );
        }
    }

    /// A client is let go because nothing was heard of it.
    pub(crate) fn silent(&self, room: &str, client: Option<ClientId>) {
        if let Some(as_well) = self.silent.may_tell(Instant::now()) {
            tracing::info!(
                room,
                ?client,
                as_well,
                "the client has been silent for too long (`heartbeat_timeout`)"
            );
        }
    }

    /// A client is closed because of what it sent.
    pub(crate) fn broken(&self, room: &str, client: ClientId, error: &dyn Display) {
        if let Some(as_well) = self.broken.may_tell(Instant::now()) {
            tracing::info!(room, %client, %error, as_well, "the client is closed");
        }
    }

    /// The system does not watch over a connection, which ends.
    pub(crate) fn unwatched(&self, error: &dyn Display) {
        if let Some(as_well) = self.unwatched.may_tell(Instant::now()) {
            tracing::error!(%error, as_well, "a connection cannot be watched");
        }
    }

    /// An event failed in a room that is kept.
    pub(crate) fn event_failed(&self, room: &str, reason: &str) {
        if let Some(as_well) = self.set_aside.may_tell(Instant::now()) {
            tracing::error!(
                room,
                reason,
                as_well,
                "an event failed: it is set aside, and the room is as it was before"
            );
        }
    }

    /// A client may not come back into the room for so long.
    pub(crate) fn kept_away(&self, room: &str, client: ClientId, time: Duration) {
        if let Some(as_well) = self.kept_away.may_tell(Instant::now()) {
            let (client, seconds) = (client.0, time.as_secs());
            tracing::warn!(
                room,
                client,
                seconds,
                as_well,
                "several messages of the client have failed: it is kept away from the room for a while, or until \
                 there is new code"
            );
        }
    }

    /// A room could not be started or brought back, as is tried whenever somebody comes.
    pub(crate) fn room_not_opened(&self, room: &str, error: &dyn Display) {
        if let Some(as_well) = self.not_opened.may_tell(Instant::now()) {
            tracing::error!(room, %error, as_well, "the room could not be opened");
        }
    }

    /// What a room did could not be kept, or its state.
    pub(crate) fn room_not_kept(&self, room: &str, reason: &dyn Display) {
        if let Some(as_well) = self.not_kept.may_tell(Instant::now()) {
            tracing::error!(room, %reason, as_well, "the room could not be kept");
        }
    }

    /// A room could not be taken over by the new code, as may be tried whenever somebody comes.
    pub(crate) fn goes_on_with_old_code(&self, room: &str, reason: &dyn Display) {
        if let Some(as_well) = self.old_code.may_tell(Instant::now()) {
            tracing::warn!(room, %reason, as_well, "the room goes on with the code it began with");
        }
    }

    /// A room failed at what a client sent.
    pub(crate) fn room_failed(&self, room: &str, error: &dyn Display) {
        if let Some(as_well) = self.failed.may_tell(Instant::now()) {
            tracing::error!(room, %error, as_well, "the room failed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_line_a_second_which_tells_how_many_there_were_not() {
        let (sometimes, start) = (Sometimes::default(), Instant::now());
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        assert_eq!(sometimes.may_tell(at(0)), Some(0), "the first is told at once");
        for milliseconds in 0..1000 {
            assert_eq!(sometimes.may_tell(at(milliseconds)), None);
        }
        assert_eq!(sometimes.may_tell(at(1000)), Some(1000));
        assert_eq!(sometimes.may_tell(at(1999)), None);
        assert_eq!(sometimes.may_tell(at(60_000)), Some(1));
        assert_eq!(sometimes.may_tell(at(70_000)), Some(0));
    }

    #[test]
    fn a_moment_that_was_taken_earlier_on_another_thread_does_no_harm() {
        let (sometimes, start) = (Sometimes::default(), Instant::now());
        assert_eq!(sometimes.may_tell(start + Duration::from_secs(1)), Some(0));
        assert_eq!(sometimes.may_tell(start), None);
    }
}
