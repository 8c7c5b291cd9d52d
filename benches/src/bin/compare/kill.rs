//! Kills a server whose rooms have heard much since they were last saved, and is its next client.

use crate::figure::{Figure, Figures};
use anyhow::ensure;
use stateroom_benches::{Client, Running};
use std::{sync::Arc, time::Instant};
use tokio::{sync::Semaphore, task::JoinSet};

/// How many rooms are looked at again.
const AGAIN: u32 = 1000;
/// How many clients join at the same time.
const AT_A_TIME: usize = 64;

/// Says `messages` messages in each of `rooms` rooms of `server`, one at a time in each, kills it with
/// all clients connected, and looks whether what they had seen is there again.
pub(crate) fn kill(server: &mut Running, rooms: u32, messages: u32) -> anyhow::Result<Figures> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let clients = fill(server, rooms, messages).await?;
        server.kill();
        let start = Instant::now();
        server.start_again()?;
        let mut wrong = 0;
        let again = AGAIN.min(rooms);
        let mut first = None;
        for number in 0..again {
            let room = (u64::from(number) * 7919 % u64::from(rooms)) as u32;
            let mut client = Client::join(server.address, &name(room), 0).await?;
            client.send("recall").await?;
            wrong += u32::from(client.text().await? != text(room, messages - 1));
            first.get_or_insert_with(|| start.elapsed());
        }
        drop(clients);
        let first = first.unwrap_or_default();
        Ok(Figures::from([
            (Figure::FirstServed, first.as_secs_f64() * 1e6),
            (Figure::Wrong, f64::from(wrong)),
        ]))
    })
}

/// The clients, each of which has seen the answer to its last message.
async fn fill(server: &Running, rooms: u32, messages: u32) -> anyhow::Result<Vec<Client>> {
    let (address, doors) = (server.address, Arc::new(Semaphore::new(AT_A_TIME)));
    let mut talks = JoinSet::new();
    for room in 0..rooms {
        let doors = doors.clone();
        talks.spawn(async move {
            let door = doors.acquire().await?;
            let mut client = Client::join(address, &name(room), 0).await?;
            drop(door);
            for number in 0..messages {
                let said = text(room, number);
                client.send(&said).await?;
                ensure!(client.text().await? == said, "room {room} gave a wrong answer");
            }
            Ok(client)
        });
    }
    let mut clients = Vec::with_capacity(rooms as usize);
    while let Some(client) = talks.join_next().await {
        clients.push(client??);
    }
    Ok(clients)
}

fn name(room: u32) -> String {
    format!("echo-{room}")
}

fn text(room: u32, number: u32) -> String {
    format!("{:-<100}", format!("message {number} of room {room} "))
}
