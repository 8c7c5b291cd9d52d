//! When a room's state is due to be saved: by what it would cost to live again all that it has heard
//! since the last time.

use std::time::Duration;

/// How much computing there may be since the last state, at most: so any room is back within a quarter of
/// a second.
const MOST_COMPUTING: Duration = Duration::from_millis(100);

/// And at least, however cheap it is to save the room.
const LEAST_COMPUTING: Duration = Duration::from_millis(20);

/// A room whose state is cheap to save is saved more often, so that a failing event costs the others in it
/// less: after so many times what saving took.
const TIMES_SAVING: u32 = 50;

/// How many events there may be.
const MOST_EVENTS: u64 = 4_096;

/// How many bytes of journal.
const MOST_BYTES: usize = 512 * 1024;

/// A journal of so many bytes, and at least as many as the state has, is worth a state of its own when the
/// store would copy it.
const WORTH_A_STATE: usize = 8 * 1024;

/// What a room has done since its state was last taken.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pace {
    /// After how many events that was.
    at: u64,
    computing: Duration,
    bytes: usize,
    /// How long it took to take the state.
    saving: Duration,
    /// How many bytes the last state has that was kept.
    state_bytes: usize,
    /// Whether the store would have to copy the journal.
    is_wanted: bool,
}

impl Pace {
    /// Of a room whose state is from after `at` events.
    pub(crate) fn since(at: u64) -> Self {
        Pace { at, ..Pace::default() }
    }

    /// Starts to count anew, since the state after `at` events was taken.
    pub(crate) fn start_over(&mut self, at: u64) {
        (self.at, self.computing, self.bytes) = (at, Duration::ZERO, 0);
        self.is_wanted = false;
    }

    pub(crate) fn computed(&mut self, time: Duration) {
        self.computing += time;
    }

    pub(crate) fn recorded(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    pub(crate) fn want(&mut self) {
        self.is_wanted = true;
    }

    pub(crate) fn took_to_save(&mut self, time: Duration) {
        self.saving = time;
    }

    pub(crate) fn state_has(&mut self, bytes: usize) {
        self.state_bytes = bytes;
    }

    /// Whether a room that has heard so many events should be saved.
    pub(crate) fn is_due(&self, events: u64) -> bool {
        let since = events.saturating_sub(self.at);
        let computing =
            self.saving.saturating_mul(TIMES_SAVING).clamp(LEAST_COMPUTING, MOST_COMPUTING);
        since > 0
            && (self.computing >= computing
                || since >= MOST_EVENTS
                || self.bytes >= MOST_BYTES
                || self.is_wanted && self.bytes >= WORTH_A_STATE.max(self.state_bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_is_saved_by_what_it_would_cost_to_live_again() {
        let mut pace = Pace::since(10);
        assert!(!pace.is_due(10));
        pace.computed(Duration::from_millis(19));
        assert!(!pace.is_due(11));
        pace.computed(Duration::from_millis(1));
        assert!(pace.is_due(11));
        assert!(!pace.is_due(10), "there is nothing to live again");
        pace.start_over(11);
        assert!(!pace.is_due(12));
        assert!(pace.is_due(11 + MOST_EVENTS));
        pace.recorded(MOST_BYTES);
        assert!(pace.is_due(12));
    }

    #[test]
    fn a_state_is_wanted_of_a_room_whose_journal_is_worth_it() {
        let mut pace = Pace::since(0);
        pace.recorded(WORTH_A_STATE - 1);
        pace.want();
        assert!(!pace.is_due(1));
        pace.recorded(1);
        assert!(pace.is_due(1));
        pace.start_over(1);
        pace.recorded(WORTH_A_STATE);
        assert!(!pace.is_due(2), "once");
    }

    #[test]
    fn a_state_that_is_larger_than_the_journal_is_not_wanted() {
        let mut pace = Pace::since(0);
        pace.state_has(2 * WORTH_A_STATE);
        pace.recorded(2 * WORTH_A_STATE - 1);
        pace.want();
        assert!(!pace.is_due(1));
        pace.recorded(1);
        assert!(pace.is_due(1));
    }

    #[test]
    fn a_room_that_is_dear_to_save_is_saved_less_often_but_often_enough() {
        let mut pace = Pace::since(0);
        pace.took_to_save(Duration::from_millis(1));
        pace.computed(Duration::from_millis(49));
        assert!(!pace.is_due(1));
        pace.computed(Duration::from_millis(1));
        assert!(pace.is_due(1));
        pace.took_to_save(Duration::from_secs(1));
        pace.computed(Duration::from_millis(50));
        assert!(pace.is_due(1));
    }
}
