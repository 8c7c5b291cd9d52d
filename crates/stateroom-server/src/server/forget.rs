//! How rooms are found that nobody has visited for long, and are forgotten.

use crate::{
    factory::RoomFactory,
    kept::archive::Archive,
    names::shard_of,
    shard::{Mailbox, ShardMessage},
    shared::Shared,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// How often it is looked for rooms to forget, at most and at least.
const SOONEST_FORGETTING: Duration = Duration::from_millis(100);
const LATEST_FORGETTING: Duration = Duration::from_secs(10);

/// How many rooms are forgotten each time.
const FORGOTTEN_AT_ONCE: usize = 1_000;

/// Has rooms forgotten that nobody has visited for long, for ever.
pub(super) async fn forget_rooms<F: RoomFactory>(
    archive: Option<&Arc<Archive<F>>>,
    shards: &[Arc<Mailbox<F>>],
    shared: &Shared,
) {
    let (Some(archive), Some(after)) = (archive, shared.config.forget_after) else {
        return std::future::pending().await;
    };
    loop {
        tokio::time::sleep(after.clamp(SOONEST_FORGETTING, LATEST_FORGETTING)).await;
        let now = shared.clock.timestamp(Instant::now());
        let before = now.before(after).nanoseconds();
        let archive = archive.clone();
        let found =
            tokio::task::spawn_blocking(move || archive.forgettable(before, FORGOTTEN_AT_ONCE));
        let rooms = match found.await {
            Ok(Ok(rooms)) => rooms,
            Ok(Err(error)) => {
                tracing::warn!(%error, "it is not known which rooms could be forgotten");
                continue;
            }
            Err(_) => continue,
        };
        let mut of_shards = vec![Vec::new(); shards.len()];
        for room in rooms {
            if let Some(rooms) = of_shards.get_mut(shard_of(&room, shards.len())) {
                rooms.push(room);
            }
        }
        for (shard, rooms) in shards.iter().zip(of_shards) {
            shard.send(ShardMessage::Forget(rooms));
        }
    }
}
