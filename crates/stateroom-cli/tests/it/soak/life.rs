//! What one life of the server is like.

use crate::{
    kept::Site,
    preload::{Fault, cached, shift_clock},
};
use fastrand::Rng;
use std::{process::Command, time::Duration};

#[derive(Debug)]
pub(super) struct Life {
    /// How the server is set.
    pub(super) arguments: Vec<String>,
    /// It is killed so soon that nobody has come.
    pub(super) dies_after: Option<Duration>,
    /// How long clients talk.
    pub(super) time: Duration,
    /// It is told to stop, and not killed.
    pub(super) ends_in_order: bool,
    /// Seconds that its clock is ahead.
    pub(super) clock_offset: i64,
    /// Its disk is full in the middle.
    pub(super) is_disk_full: bool,
    /// The process is stopped in the middle.
    pub(super) is_paused: bool,
    /// How long one of these lasts.
    pub(super) pause: Duration,
    /// It begins with new code.
    pub(super) deploys: bool,
    /// It is given new code in the middle.
    pub(super) reloads: bool,
    /// How much the large room is to hold, in KiB, if it is new.
    pub(super) ballast: u32,
}

impl Life {
    pub(super) fn draw(random: &mut Rng) -> Life {
        let mut one_in = |count: u32| random.u32(0..count) == 0;
        let dies_early = one_in(6);
        let is_disk_full = one_in(8);
        let is_paused = one_in(6);
        let is_clock_wrong = one_in(8);
        let deploys = one_in(8);
        let reloads = one_in(10);
        let ends_in_order = one_in(5);
        let is_short = one_in(4);
        let milliseconds = Duration::from_millis;
        let mut choose = |of: &[&str]| of[random.usize(0..of.len())].to_owned();
        let arguments = [
            ("--survives", choose(&["crash", "power-loss"])),
            ("--hibernate-after", choose(&["30ms", "100ms", "1m"])),
            ("--sleep-after", choose(&["10ms", "50ms", "30s"])),
            ("--empty-room-timeout", choose(&["20ms", "300ms", "1m"])),
            ("--reconnect-timeout", choose(&["200ms", "5s", "1m"])),
            ("--cpu-time-per-event", choose(&["250ms", "1s", "5s"])),
            ("--memory-bytes", choose(&["16MiB", "32MiB", "64MiB"])),
            ("--shards", choose(&["1", "2"])),
            ("--log", "debug".to_owned()),
        ];
        Life {
            arguments: arguments
                .into_iter()
                .flat_map(|(name, value)| [name.to_owned(), value])
                .collect(),
            dies_after: dies_early.then(|| milliseconds(random.u64(0..150))),
            time: milliseconds(if is_short { random.u64(0..20) } else { random.u64(20..500) }),
            ends_in_order,
            clock_offset: if is_clock_wrong {
                random.choice([3600, -3600]).unwrap_or(0)
            } else {
                0
            },
            is_disk_full,
            is_paused,
            pause: milliseconds(random.u64(20..300)),
            deploys,
            reloads,
            ballast: random.u32(200..1500),
        }
    }

    /// The command that serves the site in this life.
    pub(super) fn command(&self, site: &Site, fault: &Fault) -> Command {
        let mut command = cached(site.command());
        if self.is_disk_full {
            fault.put_on(&mut command);
        }
        if self.clock_offset != 0 {
            shift_clock(&mut command, self.clock_offset);
        }
        command
    }
}
