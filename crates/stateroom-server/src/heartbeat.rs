//! When to look at each socket again: who is pinged, who is taken for dead, whose patience is up.
//!
//! Time is counted in ticks, coarse enough for one list of sockets per tick to serve a hundred
//! thousand of them without a timer each. A socket's own record says at which tick it is due, so an
//! entry here that is out of date is simply passed over.

use std::time::{Duration, Instant};

/// A tick is this part of the heartbeat interval, within [`SHORTEST_TICK`] and [`LONGEST_TICK`].
const TICKS_PER_INTERVAL: u32 = 8;
const SHORTEST_TICK: Duration = Duration::from_millis(10);
const LONGEST_TICK: Duration = Duration::from_secs(1);

/// How many ticks ahead a socket can be due; it is looked at again then if it must wait longer.
const HORIZON: u32 = 512;

/// What to do about one client now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heartbeat {
    /// Look at it again at this tick.
    Alive(u32),
    /// Ping it, and look at it again at this tick.
    Ping(u32),
    /// It has been silent for too long.
    Dead,
}

/// The sockets by the tick at which they are due.
#[derive(Debug)]
pub(crate) struct Heartbeats {
    origin: Instant,
    tick: Duration,
    /// Ticks of silence after which a client is pinged.
    ping_after: u32,
    /// Ticks of silence after which it is taken for dead.
    dead_after: u32,
    /// The first tick that has not been handled yet.
    next: u32,
    watched: usize,
    wheel: Vec<Vec<u32>>,
}

impl Heartbeats {
    /// A wheel that starts at `origin`. A `timeout` below the `interval` counts as the interval.
    pub(crate) fn new(interval: Duration, timeout: Duration, origin: Instant) -> Self {
        let tick = (interval / TICKS_PER_INTERVAL).clamp(SHORTEST_TICK, LONGEST_TICK);
        let mut wheel = Vec::new();
        wheel.resize_with(HORIZON as usize, Vec::new);
        Heartbeats {
            origin,
            tick,
            ping_after: ticks(interval, tick),
            dead_after: ticks(timeout.max(interval), tick).max(2),
            next: 0,
            watched: 0,
            wheel,
        }
    }

    /// The tick that `now` falls in.
    pub(crate) fn tick_at(&self, now: Instant) -> u32 {
        let elapsed = now.saturating_duration_since(self.origin).as_nanos();
        u32::try_from(elapsed / self.tick.as_nanos()).unwrap_or(u32::MAX)
    }

    /// The first tick that begins at least `time` after the tick `from`.
    pub(crate) fn after(&self, from: u32, time: Duration) -> u32 {
        from.saturating_add(ticks(time, self.tick)).saturating_add(1)
    }

    /// Has `socket` looked at when the tick `due` begins, or before where that is too far ahead.
    pub(crate) fn watch(&mut self, socket: u32, due: u32) {
        let due = due.clamp(self.next, self.next.saturating_add(HORIZON - 1));
        if let Some(list) = self.wheel.get_mut((due % HORIZON) as usize) {
            list.push(socket);
            self.watched += 1;
        }
    }

    /// The sockets that have become due by `now`, some perhaps out of date.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<u32> {
        let now = self.tick_at(now);
        let mut due = Vec::new();
        if now - self.next.min(now) >= HORIZON {
            self.next = now - HORIZON + 1; // Every list is passed once.
        }
        while self.next <= now {
            if let Some(list) = self.wheel.get_mut((self.next % HORIZON) as usize) {
                due.append(list);
            }
            self.next += 1;
        }
        self.watched -= due.len();
        due
    }

    /// When to call [`Heartbeats::due`] next; never while no socket is watched.
    pub(crate) fn next(&self) -> Option<Instant> {
        (self.watched > 0).then(|| self.origin + self.tick * self.next)
    }

    /// Decides about a client that was last heard at the tick `heard`.
    pub(crate) fn check(&self, heard: u32, pinged: bool, now: u32) -> Heartbeat {
        let silent = now.saturating_sub(heard);
        // It may answer at once, and then be silent anew.
        let next = now.saturating_add(self.ping_after).min(heard.saturating_add(self.dead_after));
        if silent >= self.dead_after {
            Heartbeat::Dead
        } else if silent < self.ping_after {
            Heartbeat::Alive(self.first_look(heard))
        } else if pinged {
            Heartbeat::Alive(next)
        } else {
            Heartbeat::Ping(next)
        }
    }

    /// When a client that was heard at the tick `heard` is to be looked at.
    pub(crate) fn first_look(&self, heard: u32) -> u32 {
        heard.saturating_add(self.ping_after)
    }
}

/// How many whole ticks `time` takes, at least one.
fn ticks(time: Duration, tick: Duration) -> u32 {
    u32::try_from(time.as_nanos().div_ceil(tick.as_nanos())).unwrap_or(u32::MAX / 4).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heartbeats() -> (Heartbeats, Instant) {
        let origin = Instant::now();
        (Heartbeats::new(Duration::from_secs(25), Duration::from_secs(60), origin), origin)
    }

    #[test]
    fn silence_is_first_met_with_one_ping_and_then_taken_for_death() {
        let (heartbeats, _) = heartbeats();
        let check = |pinged, seconds: u32| heartbeats.check(100, pinged, 100 + seconds);
        assert_eq!(check(false, 24), Heartbeat::Alive(125));
        assert_eq!(check(false, 25), Heartbeat::Ping(150));
        assert_eq!(check(true, 50), Heartbeat::Alive(160));
        assert_eq!(check(true, 60), Heartbeat::Dead);
        assert_eq!(check(false, 60), Heartbeat::Dead);
    }

    #[test]
    fn each_socket_is_due_once_and_at_its_tick() {
        let (mut heartbeats, origin) = heartbeats();
        let at = |seconds| origin + Duration::from_secs(seconds);
        heartbeats.watch(1, 3);
        heartbeats.watch(2, 5);
        assert!(heartbeats.due(at(2)).is_empty());
        assert_eq!(heartbeats.due(at(3)), [1]);
        assert!(heartbeats.due(at(3)).is_empty());
        assert_eq!(heartbeats.next(), Some(at(4)));
        assert_eq!(heartbeats.due(at(9)), [2]);
        assert_eq!(heartbeats.next(), None);
    }

    #[test]
    fn a_long_pause_loses_nobody() {
        let (mut heartbeats, origin) = heartbeats();
        (0..1000).for_each(|socket| heartbeats.watch(socket, socket));
        let mut due = heartbeats.due(origin + Duration::from_secs(10_000));
        due.sort_unstable();
        assert_eq!(due, (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn whoever_is_due_in_the_past_is_due_at_once() {
        let (mut heartbeats, origin) = heartbeats();
        heartbeats.due(origin + Duration::from_secs(100));
        heartbeats.watch(7, 3);
        assert_eq!(heartbeats.due(origin + Duration::from_secs(101)), [7]);
    }
}
