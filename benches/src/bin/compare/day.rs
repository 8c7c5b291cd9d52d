//! Says in a few minutes what many rooms hear in a day, and counts what that comes to on the disk.

use crate::{
    disk,
    figure::{Figure, Figures, wrong},
    observe::observe,
    status::wait_until_no_room_is_in_memory,
};
use stateroom_benches::Running;
use stateroom_load::{Expect, Pace, Plain, Plan};
use std::{
    thread::sleep,
    time::{Duration, Instant},
};

/// How many messages a second are said while little is.
const QUIET_RATE: f64 = 50.0;
/// How long that is.
const QUIET: Duration = Duration::from_secs(20);
/// How many messages a second are said then: a hundred times what a million is for each of a day.
const RATE: f64 = 10_000.0;
/// Space that has not been given back for so long will not be: first all that nobody needs any more is
/// dropped, a little at a time, and only then does the file become shorter.
const SETTLED: Duration = Duration::from_secs(90);
/// How long it is waited for at most.
const PATIENCE: Duration = Duration::from_secs(600);

/// Has `clients` clients in each of `rooms` rooms say `messages` messages in all.
pub(crate) fn day(
    server: &Running,
    rooms: u32,
    clients: u32,
    messages: u32,
) -> anyhow::Result<Figures> {
    let mut plan = Plan::new(format!("ws://{}/ws/broadcast-{{room}}", server.address).parse()?);
    (plan.rooms, plan.clients, plan.expect) = (rooms, clients, Expect::Broadcast);
    (plan.pace, plan.duration) = (Pace::Rate(QUIET_RATE), QUIET);
    let mut peak = 0.0_f64;
    let mut measure = |plan: &Plan| {
        let look = || peak = peak.max(disk::taken_by(&server.folder));
        observe(plan, &Plain, || server.written_bytes(), look)
    };
    let (quiet, before, after) = measure(&plan)?;
    let written_quietly = after - before;
    let (pace, seconds) = (Pace::Rate(RATE), f64::from(messages) / RATE);
    (plan.pace, plan.warmup, plan.duration) =
        (pace, Duration::ZERO, Duration::from_secs_f64(seconds));
    let written_before = server.written_bytes()?;
    let (day, ..) = measure(&plan)?;

    wait_until_no_room_is_in_memory(server)?;
    let (mut least, mut since, start) = (f64::INFINITY, Instant::now(), Instant::now());
    while since.elapsed() < SETTLED && start.elapsed() < PATIENCE {
        let taken = disk::taken_by(&server.folder);
        peak = peak.max(taken);
        if taken < least {
            (least, since) = (taken, Instant::now());
        }
        sleep(Duration::from_millis(200));
    }
    // What was to be saved and tidied up afterwards counts.
    let written = server.written_bytes()? - written_before;
    let said = |messages: u64| (messages.max(1) * plan.bytes as u64) as f64;
    Ok(Figures::from([
        (Figure::WriteAmplification, written / said(day.counts.total_sent)),
        (Figure::WriteAmplificationQuiet, written_quietly / said(quiet.counts.sent)),
        (Figure::FolderPeak, peak),
        (Figure::FolderAfter, disk::taken_by(&server.folder)),
        (Figure::P99, day.latency.p99),
        (Figure::Wrong, wrong(&quiet) + wrong(&day)),
    ]))
}
