//! What one client has received: frames are read where they lie, and each message is verified.

use super::client::Client;
use crate::{
    compose::Composer,
    errors_by_kind::Ending,
    stamp::Finder,
    tally::Tally,
    wire::{Incoming, Kind},
};

/// Verifies what comes.
#[derive(Debug)]
pub(super) struct Intake {
    pub(super) finder: Finder,
    /// Whether messages are looked into at all.
    pub(super) verifies: bool,
}

impl Intake {
    /// Takes the whole frames that `bytes` start with, and appends to `replies` what is to be
    /// answered at once. Returns what is left of `bytes`, and how many messages there were.
    pub(super) fn take<'b>(
        &mut self,
        client: &mut Client,
        bytes: &'b [u8],
        now: u64,
        tally: &mut Tally,
        composer: &Composer<'_>,
        replies: &mut Vec<u8>,
    ) -> Result<(&'b [u8], u64), Ending> {
        let mut rest = bytes;
        let mut messages = 0;
        let mut unstamped = 0;
        let result = loop {
            let (incoming, length) = match client.frames.next(rest) {
                Ok(Some(next)) => next,
                Ok(None) => break Ok(()),
                Err(error) => break Err(error.into()),
            };
            match incoming {
                Incoming::Message(message) => {
                    messages += 1;
                    if self.verifies {
                        match self.finder.find(message) {
                            Some(stamp) => {
                                let arrival = client.arrivals.note(stamp.client, stamp.number);
                                tally.arrived(arrival, stamp.due, now);
                            }
                            None => unstamped += 1,
                        }
                    }
                }
                Incoming::Ping(payload) => composer.append_other(Kind::Pong, payload, replies),
                Incoming::Close { code, reason } => {
                    let reason = String::from_utf8_lossy(reason).into_owned();
                    break Err(Ending::Closed { code, reason });
                }
                Incoming::Nothing => {}
            }
            rest = rest.get(length..).unwrap_or_default();
        };
        tally.delivered(messages, now);
        tally.counts.unstamped += unstamped;
        client.unstamped_in_flight = client.unstamped_in_flight.saturating_sub(unstamped);
        result.map(|()| (rest, messages))
    }
}
