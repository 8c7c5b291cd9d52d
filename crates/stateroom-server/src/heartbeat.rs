//! When to look at each socket again: who is pinged, who is taken for dead, whose patience is up.
//!
//! Time is counted in ticks, coarse enough for one list of sockets per tick to serve a hundred
//! thousand of them without a timer each. A socket is in one list at a time, however often its turn is
//! put off or brought forward.
//!
//! Time in which the process did not run, or could not come to look, does not count: after it, whatever
//! clients have sent is read before anybody is called silent.

use std::time::{Duration, Instant};

/// A tick is this part of the heartbeat interval, within [`SHORTEST_TICK`] and [`LONGEST_TICK`].
const TICKS_PER_INTERVAL: u32 = 8;
const SHORTEST_TICK: Duration = Duration::from_millis(10);
const LONGEST_TICK: Duration = Duration::from_secs(1);

/// How many ticks ahead a list is; a socket that is due later is put off again when that one comes.
const HORIZON: u32 = 512;

/// No socket.
const NONE: u32 = u32::MAX;

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
    /// The first socket of each list.
    wheel: Vec<u32>,
    /// Of each socket, by its number.
    links: Vec<Link>,
}

/// Where a socket is in the lists.
#[derive(Debug, Clone, Copy)]
struct Link {
    /// The tick at which it is due, or [`NONE`] while it is in no list.
    due: u32,
    /// Which list it is in.
    list: u32,
    before: u32,
    after: u32,
}

const UNLINKED: Link = Link { due: NONE, list: NONE, before: NONE, after: NONE };

impl Heartbeats {
    /// A wheel that starts at `origin`. A `timeout` below the `interval` counts as the interval.
    pub(crate) fn new(interval: Duration, timeout: Duration, origin: Instant) -> Self {
        let tick = (interval / TICKS_PER_INTERVAL).clamp(SHORTEST_TICK, LONGEST_TICK);
        Heartbeats {
            origin,
            tick,
            ping_after: ticks(interval, tick),
            dead_after: ticks(timeout.max(interval), tick).max(2),
            next: 0,
            watched: 0,
            wheel: vec![NONE; HORIZON as usize],
            links: Vec::new(),
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

    /// Has `socket` looked at when the tick `due` begins, and not when it was to be before.
    pub(crate) fn watch(&mut self, socket: u32, due: u32) {
        self.forget(socket);
        let list = due.clamp(self.next, self.next.saturating_add(HORIZON - 1)) % HORIZON;
        let index = socket as usize;
        if self.links.len() <= index {
            self.links.resize(index + 1, UNLINKED);
        }
        let Some(first) = self.wheel.get_mut(list as usize) else { return };
        let after = std::mem::replace(first, socket);
        if let Some(link) = self.links.get_mut(after as usize) {
            link.before = socket;
        }
        if let Some(link) = self.links.get_mut(index) {
            *link = Link { due, list, before: NONE, after };
        }
        self.watched += 1;
    }

    /// Has `socket` not looked at any more.
    pub(crate) fn forget(&mut self, socket: u32) {
        let Some(link) = self.links.get_mut(socket as usize) else { return };
        let Link { list, before, after, .. } = std::mem::replace(link, UNLINKED);
        if list == NONE {
            return;
        }
        if let Some(link) = self.links.get_mut(after as usize) {
            link.before = before;
        }
        if let Some(link) = self.links.get_mut(before as usize) {
            link.after = after;
        } else if let Some(first) = self.wheel.get_mut(list as usize) {
            *first = after;
        }
        self.watched -= 1;
    }

    /// The sockets that have become due by `now`. Where that is later than a tick after it was to be called,
    /// the time between does not count.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<u32> {
        let late = now.saturating_duration_since(self.origin + self.tick * self.next);
        if late > self.tick {
            self.origin += late;
        }
        let tick = self.tick_at(now);
        let mut due = Vec::new();
        while self.next <= tick {
            let list = (self.next % HORIZON) as usize;
            self.next += 1;
            let mut socket = self.wheel.get(list).copied().unwrap_or(NONE);
            while let Some(link) = self.links.get(socket as usize).copied() {
                if link.due > tick {
                    // It was further ahead than the lists are.
                    self.watch(socket, link.due);
                } else {
                    self.forget(socket);
                    due.push(socket);
                }
                socket = link.after;
            }
        }
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
        (0..=2).for_each(|second| assert!(heartbeats.due(at(second)).is_empty()));
        assert_eq!(heartbeats.due(at(3)), [1]);
        assert!(heartbeats.due(at(3)).is_empty());
        assert_eq!(heartbeats.next(), Some(at(4)));
        assert!(heartbeats.due(at(4)).is_empty());
        assert_eq!(heartbeats.due(at(5)), [2]);
        assert_eq!(heartbeats.next(), None);
    }

    #[test]
    fn whoever_is_due_beyond_the_lists_is_due_at_that_tick_all_the_same() {
        let (mut heartbeats, origin) = heartbeats();
        let far = 3 * HORIZON + 7;
        (0..4).for_each(|socket| heartbeats.watch(socket, far));
        for second in 0..far {
            assert!(heartbeats.due(origin + Duration::from_secs(second.into())).is_empty());
        }
        let mut due = heartbeats.due(origin + Duration::from_secs(far.into()));
        due.sort_unstable();
        assert_eq!(due, [0, 1, 2, 3]);
        assert_eq!(heartbeats.next(), None);
    }

    #[test]
    fn whoever_is_due_in_the_past_is_due_at_once() {
        let (mut heartbeats, origin) = heartbeats();
        let at = |seconds| origin + Duration::from_secs(seconds);
        (0..=100).for_each(|second| drop(heartbeats.due(at(second))));
        heartbeats.watch(7, 3);
        assert_eq!(heartbeats.due(at(101)), [7]);
    }

    #[test]
    fn a_socket_has_one_entry_however_often_it_is_put_off() {
        let (mut heartbeats, origin) = heartbeats();
        let mut random = fastrand::Rng::with_seed(7);
        let mut expected = std::collections::BTreeMap::new();
        for _ in 0..20_000 {
            let (socket, due) = (random.u32(..50), random.u32(1..400));
            if random.u8(..4) == 0 {
                heartbeats.forget(socket);
                expected.remove(&socket);
            } else {
                heartbeats.watch(socket, due);
                expected.insert(socket, due);
            }
        }
        assert_eq!(heartbeats.watched, expected.len());
        for second in 0..400_u32 {
            let mut due = heartbeats.due(origin + Duration::from_secs(second.into()));
            due.sort_unstable();
            let now: Vec<u32> =
                expected.iter().filter(|(_, at)| **at == second).map(|(s, _)| *s).collect();
            assert_eq!(due, now, "at {second}");
        }
        assert_eq!(heartbeats.watched, 0);
    }

    #[test]
    fn time_in_which_nobody_looked_does_not_count_as_silence() {
        let (mut heartbeats, origin) = heartbeats();
        let at = |seconds| origin + Duration::from_secs(seconds);
        (0..=10).for_each(|second| drop(heartbeats.due(at(second))));
        heartbeats.watch(1, 12);
        // The process was stopped for ten minutes.
        assert!(heartbeats.due(at(610)).is_empty());
        assert_eq!(heartbeats.tick_at(at(610)), 11);
        assert_eq!(heartbeats.due(at(611)), [1]);
        assert_eq!(heartbeats.check(10, false, heartbeats.tick_at(at(611))), Heartbeat::Alive(35));
    }
}
