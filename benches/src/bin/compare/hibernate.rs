//! Leaves something to remember in many rooms, until all of them are on disk alone, and looks later
//! whether they still do.

use crate::{
    disk,
    figure::{Figure, Figures, quantile},
    process::Running,
    status::wait_until_no_room_is_in_memory,
    visit::{secret, visit_one},
};
use std::time::Instant;
use tokio::task::JoinSet;

/// How many rooms are visited again.
const AGAIN: u32 = 10_000;
/// How many rooms are visited at the same time at first.
const AT_A_TIME: u32 = 64;

/// Visits `rooms` rooms of `server`, whose memory was `started` when it had just started, and `empty`
/// when there had been some rooms, and were none.
pub(crate) fn hibernate(
    server: &mut Running,
    rooms: u32,
    (started, empty): (f64, f64),
) -> anyhow::Result<Figures> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut unheard = runtime.block_on(fill(server, rooms))?;
    wait_until_no_room_is_in_memory(server)?;
    let hibernated = server.usage()?.resident - empty;
    // What follows finds a server that has just started, and nothing in the memory of the system: not
    // even what is read and written as a server comes back from being killed.
    server.start_again()?;
    server.kill();
    disk::forget(&server.folder)?;
    server.start_again()?;
    let restarted = server.usage()?.resident - started;

    let again = AGAIN.min(rooms);
    let mut times = Vec::new();
    for number in 0..again {
        // All over the rooms, in no order that they were first visited in.
        let room = (u64::from(number) * 7919 % u64::from(rooms)) as u32;
        let start = Instant::now();
        let said = runtime.block_on(visit_one(server.address, room, "recall"));
        times.push(start.elapsed().as_secs_f64() * 1e6);
        unheard += u32::from(said.ok() != Some(secret(room)));
    }
    Ok(Figures::from([
        (Figure::BytesPerRoom, hibernated / f64::from(rooms)),
        (Figure::BytesPerRoomAfterRestart, restarted / f64::from(rooms)),
        (Figure::WakeP50, quantile(&mut times, 0.5).unwrap_or_default()),
        (Figure::WakeP99, quantile(&mut times, 0.99).unwrap_or_default()),
        (Figure::Wrong, f64::from(unheard)),
    ]))
}

/// Visits them all once, and tells how many did not answer.
async fn fill(server: &Running, rooms: u32) -> anyhow::Result<u32> {
    let address = server.address;
    let mut visitors = JoinSet::new();
    for visitor in 0..AT_A_TIME {
        visitors.spawn(async move {
            let mut unheard = 0;
            for room in (visitor..rooms).step_by(AT_A_TIME as usize) {
                let said = visit_one(address, room, &secret(room)).await;
                unheard += u32::from(said.is_err());
                // A server that takes no more visitors is not asked a hundred thousand times.
                anyhow::ensure!(unheard < 10, "room {room} was not visited: {said:?}");
            }
            Ok(unheard)
        });
    }
    let mut unheard = 0;
    while let Some(count) = visitors.join_next().await {
        unheard += count??;
    }
    Ok(unheard)
}
