//! Visits many rooms, one after the other, leaves something in each to remember, and looks later
//! whether some still do.

use crate::{
    figure::{Figure, Figures, quantile},
    process::Running,
};
use stateroom_benches::Client;
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

/// How many rooms are visited again.
const AGAIN: u32 = 10_000;
/// How long nothing happens before that, so that all rooms sleep.
const QUIET: Duration = Duration::from_secs(5);

/// Visits `rooms` rooms of `server`.
pub(crate) fn visit(server: &Running, rooms: u32) -> anyhow::Result<Figures> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(visit_all(server, rooms))
}

async fn visit_all(server: &Running, rooms: u32) -> anyhow::Result<Figures> {
    let (mut most, mut unheard) = (0.0_f64, 0);
    for room in 0..rooms {
        let said = visit_one(server.address, room, &secret(room)).await;
        unheard += u32::from(said.is_err());
        if room % 1000 == 0 {
            most = most.max(server.usage()?.resident);
        }
        // A server that takes no more visitors is not asked a hundred thousand times.
        if unheard > 100 {
            anyhow::bail!("{} of the first {} rooms were visited: {said:?}", room - unheard, room);
        }
    }
    tokio::time::sleep(QUIET).await;
    most = most.max(server.usage()?.resident);

    let (mut forgotten, mut times) = (0, Vec::new());
    let again = AGAIN.min(rooms);
    for number in 0..again {
        // All over the rooms, in no order that they were first visited in.
        let room = (u64::from(number) * 7919 % u64::from(rooms)) as u32;
        let start = Instant::now();
        let said = visit_one(server.address, room, "recall").await;
        times.push(start.elapsed().as_secs_f64() * 1e6);
        forgotten += u32::from(said.ok() != Some(secret(room)));
    }
    Ok(Figures::from([
        (Figure::ResidentBytes, most),
        (Figure::WakeP50, quantile(&mut times, 0.5).unwrap_or_default()),
        (Figure::WakeP99, quantile(&mut times, 0.99).unwrap_or_default()),
        (Figure::Wrong, f64::from(forgotten + unheard)),
    ]))
}

/// Joins a room, says something, hears the answer, and leaves.
pub(crate) async fn visit_one(
    server: SocketAddr,
    room: u32,
    message: &str,
) -> anyhow::Result<String> {
    // Each address has 28,000 ports, and each is free again after a minute.
    let source = IpAddr::from(Ipv4Addr::new(127, 0, 0, 1 + (room % 64) as u8));
    let mut client = Client::join_from(source, server, &format!("echo-{room}")).await?;
    client.send(message).await?;
    client.text().await
}

/// What is left in a room.
pub(crate) fn secret(room: u32) -> String {
    format!("{:-<100}", format!("the secret of {room} is {:x} ", room.wrapping_mul(2_654_435_761)))
}
