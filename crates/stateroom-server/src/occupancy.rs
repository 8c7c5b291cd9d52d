//! How many rooms and clients there are, and whether one more may come: counted by the shards as they come
//! and go, read by `/status` and by whoever decides about a new client.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Occupancy {
    origin: Instant,
    clients: AtomicUsize,
    rooms: AtomicUsize,
    asleep: AtomicUsize,
    on_disk: AtomicUsize,
    wakes: WakeTimes,
    /// When the last client left, in milliseconds since the origin.
    inactive_since: AtomicU64,
    stopping: AtomicBool,
}

/// What `/status` tells.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub(crate) struct Status {
    active_connections: usize,
    seconds_inactive: u64,
    listening: bool,
    rooms: usize,
    rooms_asleep: usize,
    /// How many of those are on disk alone. Rooms that nobody is in are not counted at all.
    rooms_on_disk: usize,
    wakes: u64,
    /// 99 of 100 wakes took at most this, with the event that woke the room.
    wake_p99_microseconds: u64,
}

/// How many rooms of each kind there were, when the log last told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tiers {
    pub(crate) clients: usize,
    pub(crate) awake: usize,
    /// Asleep in memory.
    pub(crate) asleep: usize,
    pub(crate) on_disk: usize,
}

/// How long rooms took to wake, by powers of two of microseconds.
#[derive(Debug, Default)]
struct WakeTimes([AtomicU64; 32]);

impl WakeTimes {
    fn note(&self, time: Duration) {
        let microseconds = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let bits = (u64::BITS - microseconds.leading_zeros()) as usize;
        if let Some(count) = self.0.get(bits.min(self.0.len() - 1)) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// How many there were, and the time that 99 of 100 of them kept to.
    fn summary(&self) -> (u64, u64) {
        let counts = self.0.each_ref().map(|count| count.load(Relaxed));
        let all: u64 = counts.iter().sum();
        let mut seen = 0;
        let p99 = counts.iter().position(|count| {
            seen += count;
            seen * 100 >= all * 99
        });
        (all, (1_u64 << p99.unwrap_or(0)) - 1)
    }
}

impl Occupancy {
    pub(crate) fn new() -> Self {
        Occupancy {
            origin: Instant::now(),
            clients: AtomicUsize::new(0),
            rooms: AtomicUsize::new(0),
            asleep: AtomicUsize::new(0),
            on_disk: AtomicUsize::new(0),
            wakes: WakeTimes::default(),
            inactive_since: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
        }
    }

    /// Counts one more client, unless there are `most` already.
    pub(crate) fn client_comes(&self, most: usize) -> bool {
        take(&self.clients, most)
    }

    pub(crate) fn client_goes(&self) {
        if self.clients.fetch_sub(1, Relaxed) == 1 {
            let now = u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.inactive_since.store(now, Relaxed);
        }
    }

    /// Counts one more room, unless there are `most` already.
    pub(crate) fn room_comes(&self, most: usize) -> bool {
        take(&self.rooms, most)
    }

    pub(crate) fn room_goes(&self) {
        self.rooms.fetch_sub(1, Relaxed);
    }

    /// Counts how many more (or fewer) rooms of a shard are asleep.
    pub(crate) fn rooms_sleep(&self, before: usize, now: usize) {
        self.asleep.fetch_add(now.wrapping_sub(before), Relaxed);
    }

    /// Counts how many more (or fewer) rooms of a shard are not in memory.
    pub(crate) fn rooms_hibernate(&self, before: usize, now: usize) {
        self.on_disk.fetch_add(now.wrapping_sub(before), Relaxed);
    }

    /// Notes that a room woke for an event, and how long that took.
    pub(crate) fn room_woke(&self, time: Duration) {
        self.wakes.note(time);
    }

    /// Lets nobody in from now on.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Relaxed);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Relaxed)
    }

    /// How many rooms of each kind there are.
    pub(crate) fn tiers(&self) -> Tiers {
        let on_disk = self.on_disk.load(Relaxed);
        // Each is counted by itself, so for a moment they may not add up.
        let in_memory = self.rooms.load(Relaxed).saturating_sub(on_disk);
        let asleep = self.asleep.load(Relaxed).saturating_sub(on_disk);
        let clients = self.clients.load(Relaxed);
        Tiers { clients, awake: in_memory.saturating_sub(asleep), asleep, on_disk }
    }

    /// Tells the log where the rooms are, unless that is as it was `told`.
    pub(crate) fn tell(&self, told: &mut Tiers) {
        let tiers = self.tiers();
        if tiers != *told {
            *told = tiers;
            let (wakes, p99) = self.wakes.summary();
            let Tiers { clients, awake, asleep, on_disk } = tiers;
            let wake_p99 = Duration::from_micros(p99);
            tracing::info!(clients, awake, asleep, on_disk, wakes, ?wake_p99, "rooms");
        }
    }

    pub(crate) fn status(&self) -> Status {
        let active_connections = self.clients.load(Relaxed);
        let since = Duration::from_millis(self.inactive_since.load(Relaxed));
        let inactive = match active_connections {
            0 => self.origin.elapsed().saturating_sub(since),
            _ => Duration::ZERO,
        };
        let (wakes, wake_p99_microseconds) = self.wakes.summary();
        Status {
            active_connections,
            seconds_inactive: inactive.as_secs(),
            listening: !self.is_stopping(),
            rooms: self.rooms.load(Relaxed),
            rooms_asleep: self.asleep.load(Relaxed),
            rooms_on_disk: self.on_disk.load(Relaxed),
            wakes,
            wake_p99_microseconds,
        }
    }
}

fn take(count: &AtomicUsize, most: usize) -> bool {
    count.fetch_update(Relaxed, Relaxed, |count| (count < most).then_some(count + 1)).is_ok()
}
