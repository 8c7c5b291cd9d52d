//! How connections are accepted, and how that is paused where there is no room for more.

use super::state::Shard;
use crate::{connections::Admission, factory::RoomFactory};
use std::{
    io::{self, ErrorKind},
    time::{Duration, Instant},
};

/// How many connections are accepted before others have a turn.
const ACCEPTED_AT_ONCE: usize = 64;

/// How long the listener rests when there is no descriptor left for another connection.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

impl<F: RoomFactory> Shard<F> {
    /// Accepts the connections that wait, as far as its turn goes.
    pub(super) fn accept(&mut self, now: Instant) {
        for _ in 0..ACCEPTED_AT_ONCE {
            let Some(listener) = &self.listener else { return };
            // Before it is accepted, for that takes a descriptor.
            let (permit, is_refused) = match self.shared.connections.admit() {
                Admission::Admitted(permit) => (permit, false),
                Admission::TurnedAway(permit) => (permit, true),
                Admission::Full => {
                    self.accepting.rests_until = Some(now + EXHAUSTED_PAUSE);
                    break;
                }
            };
            match listener.accept() {
                Ok((stream, _)) => {
                    // On Linux it is so already, see `server`.
                    #[cfg(not(target_os = "linux"))]
                    let _ = stream.set_nodelay(true);
                    self.accepting.exhausted = false;
                    self.receive(stream, permit, is_refused);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.accepting.ready = false;
                    break;
                }
                Err(error) if is_the_clients(&error) => {}
                Err(error) => {
                    if !self.accepting.exhausted {
                        tracing::error!(%error, "no further connection can be accepted for now");
                    }
                    self.accepting.exhausted = true;
                    self.accepting.rests_until = Some(now + EXHAUSTED_PAUSE);
                    break;
                }
            }
        }
    }

    pub(super) fn may_accept(&self, now: Instant) -> bool {
        self.accepting.ready
            && self.listener.is_some()
            && self.accepting.rests_until.is_none_or(|until| until <= now)
    }
}

/// Whether accepting failed because that one client hung up.
fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
