//! How a server that keeps its rooms is tied to the store: rooms that were kept get their timers, and shards
//! hear what the keeper answers.

use crate::{
    clock::Clock,
    factory::RoomFactory,
    health::Failure,
    keeping::Keeping,
    kept::{archive::Archive, code::Code, committing::Listener, requests::Answers},
    names::shard_of,
    shard::{Mailbox, ShardMessage},
    shared::{FOR_EVER, Shared},
};
use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

/// What it takes to keep rooms: the way to the store, and the code of new ones.
type Kept<F> = (Arc<Archive<F>>, Code<F>);

/// Opens the archive, and has the rooms in it that have something to do be in memory at their time.
pub(super) fn open_archive<F: RoomFactory>(
    keeping: Keeping<F>,
    factory: &Arc<F>,
    shared: &Arc<Shared>,
    shards: &Arc<[Arc<Mailbox<F>>]>,
) -> io::Result<Kept<F>> {
    let given_up = shared.started + shared.config.reconnect_timeout;
    let listener = Arc::new(Mailboxes { shards: shards.clone(), shared: shared.clone() });
    let guard = shared.health.guard("keeper");
    let archive = Archive::new(keeping, shared.clock, given_up, shards.len(), listener, guard)?;
    let code = archive.keep_code(factory.clone())?;
    let mut timers: Vec<Vec<(Instant, Arc<str>)>> = vec![Vec::new(); shards.len()];
    for (room, vitals) in archive.needing_attention().map_err(io::Error::other)? {
        let timer = vitals.wake_at.map(|wake_at| due(shared.clock, wake_at, vitals.heard_at));
        let absent = (vitals.clients > 0).then_some(given_up);
        if let Some(when) = [timer, absent].into_iter().flatten().min()
            && let Some(timers) = timers.get_mut(shard_of(&room, shards.len()))
        {
            timers.push((when, room));
        }
    }
    for (shard, timers) in shards.iter().zip(timers) {
        shard.send(ShardMessage::Timers(timers));
    }
    Ok((Arc::new(archive), code))
}

/// When a timer is due that was to fire at `wake_at`, of a room that heard something last at `heard_at`, both
/// in nanoseconds since 1970. If the clock was ahead then, the distance is what counts.
fn due(clock: Clock, wake_at: u64, heard_at: u64) -> Instant {
    let now = Instant::now();
    if heard_at > clock.timestamp(now).nanoseconds() {
        now + Duration::from_nanos(wake_at.saturating_sub(heard_at)).min(FOR_EVER)
    } else {
        clock.instant_of(wake_at)
    }
}

/// Brings the shards what the keeper has to tell them.
struct Mailboxes<F: RoomFactory> {
    shards: Arc<[Arc<Mailbox<F>>]>,
    shared: Arc<Shared>,
}

impl<F: RoomFactory> Listener for Mailboxes<F> {
    fn answers(&self, shard: usize, answers: Answers) {
        // What a shard counts it collects itself; other threads have nowhere else to.
        self.shared.totals.collect(usize::MAX);
        if let Some(mailbox) = self.shards.get(shard) {
            mailbox.send(ShardMessage::Answers(answers));
        }
    }

    fn failed(&self, reason: &Arc<str>) {
        self.shared.health.fail(Failure::Store(reason.clone()));
    }
}
