//! How many of everything there are: counted by the shards as they come and go, read by `/status`
//! and by whoever decides about a new client.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// The counts of one server.
#[derive(Debug)]
pub(crate) struct Census {
    origin: Instant,
    clients: AtomicUsize,
    rooms: AtomicUsize,
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
}

impl Census {
    pub(crate) fn new() -> Self {
        Census {
            origin: Instant::now(),
            clients: AtomicUsize::new(0),
            rooms: AtomicUsize::new(0),
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

    /// Lets nobody in from now on.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Relaxed);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Relaxed)
    }

    pub(crate) fn status(&self) -> Status {
        let active_connections = self.clients.load(Relaxed);
        let since = Duration::from_millis(self.inactive_since.load(Relaxed));
        let inactive = match active_connections {
            0 => self.origin.elapsed().saturating_sub(since),
            _ => Duration::ZERO,
        };
        Status {
            active_connections,
            seconds_inactive: inactive.as_secs(),
            listening: !self.is_stopping(),
            rooms: self.rooms.load(Relaxed),
        }
    }
}

fn take(count: &AtomicUsize, most: usize) -> bool {
    count.fetch_update(Relaxed, Relaxed, |count| (count < most).then_some(count + 1)).is_ok()
}
