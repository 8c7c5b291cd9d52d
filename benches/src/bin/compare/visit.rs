//! Visits many rooms, leaves something in each to remember, and looks later whether some still do: when
//! they sleep in memory, or when they are on disk alone.

use crate::{
    disk,
    figure::{Figure, Figures, quantile},
    status::wait_until_no_room_is_in_memory,
};
use stateroom_benches::{Client, Running};
use std::{
    net::SocketAddr,
    thread::sleep,
    time::{Duration, Instant},
};
use tokio::{runtime, task::JoinSet};

/// How many rooms are visited again.
const AGAIN: u32 = 10_000;
/// How long nothing happens before that, so that all rooms sleep.
const QUIET: Duration = Duration::from_secs(5);
/// How many rooms are visited at the same time, where only what becomes of them is measured.
const AT_A_TIME: u32 = 64;

/// Visits `rooms` rooms of `server` one after the other, and some again from its memory.
pub(crate) fn visit(server: &Running, rooms: u32) -> anyhow::Result<Figures> {
    let unheard = fill(server.address, rooms, 1)?;
    let resident = server.usage()?.resident;
    sleep(QUIET);
    let most = resident.max(server.usage()?.resident);
    let mut figures = again(server.address, rooms, unheard)?;
    figures.insert(Figure::ResidentBytes, most);
    Ok(figures)
}

/// Visits `rooms` rooms of `server`, and some again when all are on disk alone. Its memory was `started`
/// when it had just started, and `empty` when there had been some rooms, and were none.
pub(crate) fn hibernate(
    server: &mut Running,
    rooms: u32,
    (started, empty): (f64, f64),
) -> anyhow::Result<Figures> {
    let unheard = fill(server.address, rooms, AT_A_TIME)?;
    wait_until_no_room_is_in_memory(server)?;
    let hibernated = server.usage()?.resident - empty;
    // What follows finds a server that has just started, and nothing in the memory of the system: not
    // even what is read and written as a server comes back from being killed.
    server.start_again()?;
    server.kill();
    disk::forget(&server.folder)?;
    server.start_again()?;
    let restarted = server.usage()?.resident - started;
    let mut figures = again(server.address, rooms, unheard)?;
    figures.insert(Figure::BytesPerRoom, hibernated / f64::from(rooms));
    figures.insert(Figure::BytesPerRoomAfterRestart, restarted / f64::from(rooms));
    Ok(figures)
}

/// Visits all rooms once, `at_a_time` at the same time, and tells how many did not answer.
fn fill(server: SocketAddr, rooms: u32, at_a_time: u32) -> anyhow::Result<u32> {
    runtime()?.block_on(async {
        let mut visitors = JoinSet::new();
        for visitor in 0..at_a_time {
            visitors.spawn(async move {
                let mut unheard = 0;
                for room in (visitor..rooms).step_by(at_a_time as usize) {
                    let said = visit_one(server, room, &secret(room)).await;
                    if let Err(error) = &said {
                        eprintln!("room {room} did not answer: {error:#}");
                        unheard += 1;
                    }
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
    })
}

/// Visits some rooms again: how long each took to answer, and how many know nothing any more, besides
/// those that never answered.
fn again(server: SocketAddr, rooms: u32, unheard: u32) -> anyhow::Result<Figures> {
    let (mut wrong, mut times, runtime) = (unheard, Vec::new(), runtime()?);
    for number in 0..AGAIN.min(rooms) {
        // All over the rooms, in no order that they were first visited in.
        let room = (u64::from(number) * 7919 % u64::from(rooms)) as u32;
        let start = Instant::now();
        let said = runtime.block_on(visit_one(server, room, "recall"));
        times.push(start.elapsed().as_secs_f64() * 1e6);
        let problem = match said {
            Ok(said) if said == secret(room) => continue,
            Ok(said) => format!("knows {said:?}"),
            Err(error) => format!("did not answer again: {error:#}"),
        };
        eprintln!("room {room} {problem}");
        wrong += 1;
    }
    Ok(Figures::from([
        (Figure::WakeP50, quantile(&mut times, 0.5).unwrap_or_default()),
        (Figure::WakeP99, quantile(&mut times, 0.99).unwrap_or_default()),
        (Figure::Wrong, f64::from(wrong)),
    ]))
}

fn runtime() -> anyhow::Result<runtime::Runtime> {
    Ok(runtime::Builder::new_current_thread().enable_all().build()?)
}

/// Joins a room, says something, hears the answer, and leaves.
async fn visit_one(server: SocketAddr, room: u32, message: &str) -> anyhow::Result<String> {
    let mut client = Client::join(server, &format!("echo-{room}"), room as u8).await?;
    client.send(message).await?;
    client.text().await
}

/// What is left in a room.
fn secret(room: u32) -> String {
    format!("{:-<100}", format!("the secret of {room} is {:x} ", room.wrapping_mul(2_654_435_761)))
}
