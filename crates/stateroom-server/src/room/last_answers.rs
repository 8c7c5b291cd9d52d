//! Those who have said that they go, and are kept for the answers to what they had said before.

use super::turn::Leaving;
use std::time::{Duration, Instant};

/// How long they are kept.
const LAST_ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct LastAnswers(Vec<AwaitsAnswer>);

/// A connection that ends when all that it has caused is durable, and sent.
#[derive(Debug)]
struct AwaitsAnswer {
    key: u32,
    leaving: Leaving,
    /// After how many events of the room it said that it goes.
    events: u64,
    until: Instant,
}

impl LastAnswers {
    /// Keeps a connection until so many events of the room are durable.
    pub(super) fn wait(&mut self, key: u32, leaving: Leaving, events: u64, now: Instant) {
        let until = now + LAST_ANSWER_TIMEOUT;
        self.0.push(AwaitsAnswer { key, leaving, events, until });
    }

    pub(super) fn has(&self, key: u32) -> bool {
        self.0.iter().any(|awaits| awaits.key == key)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Moves those to `leaving` who have had their answers, or have waited for too long.
    pub(super) fn settle(&mut self, durable: u64, now: Instant, leaving: &mut Vec<(u32, Leaving)>) {
        self.0.retain(|awaits| {
            let waits = durable < awaits.events && now < awaits.until;
            if !waits {
                leaving.push((awaits.key, awaits.leaving.clone()));
            }
            waits
        });
    }

    /// Forgets a connection that is gone.
    pub(super) fn forget(&mut self, key: u32) {
        self.0.retain(|awaits| awaits.key != key);
    }

    /// When the next of them has waited for too long.
    pub(super) fn until(&self) -> Option<Instant> {
        self.0.iter().map(|awaits| awaits.until).min()
    }

    pub(super) fn shrink(&mut self) {
        self.0.shrink_to_fit();
    }
}
