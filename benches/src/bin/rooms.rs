//! Prints what rooms and connections cost, and what a busy room costs the others.
//!
//! `cargo build --profile dist -p stateroom-cli && cargo run --profile dist -p stateroom-benches --bin rooms`

use anyhow::Context as _;
use stateroom_benches::{Client, Server, build_guest, echo_latency};
use std::{env, sync::Arc, time::Duration};
use tokio::sync::Mutex;

/// How many messages a second the latencies are measured at.
const RATE: u32 = 1000;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let count: usize = match env::args().nth(1) {
        Some(count) => count.parse().context("the first argument is a number of rooms")?,
        None => 10_000,
    };
    let seconds = Duration::from_secs(5);
    let module = build_guest()?;

    let server = Server::start(&module).await?;
    let before = server.resident_bytes()?;
    let crowd = join(&server, count, |_| "one-room".to_owned()).await?;
    let connection = (server.resident_bytes()? - before) / count as u64;
    drop((crowd, server));

    let server = Server::start(&module).await?;
    let before = server.resident_bytes()?;
    let clients = join(&server, count, |number| format!("room-{number}")).await?;
    let both = (server.resident_bytes()? - before) / count as u64;
    println!("rooms with one client each          {count}");
    println!("memory per connection               {:.1} KiB", connection as f64 / 1024.0);
    println!("memory per live room                {:.1} KiB", (both - connection) as f64 / 1024.0);

    let quiet = echo_latency(&clients, RATE, seconds).await?;
    println!("echo at {RATE}/s, all rooms quiet       {quiet:.2?}");
    for busy in 1..=2 {
        let spinners: Vec<_> = (0..busy).map(|number| spin(&server, number)).collect();
        let latency = echo_latency(&clients, RATE, seconds).await?;
        println!("echo at {RATE}/s, {busy} rooms at 100 % CPU   {latency:.2?}");
        spinners.iter().for_each(tokio::task::JoinHandle::abort);
        // The last spin is stopped after its second.
        tokio::time::sleep(Duration::from_millis(1500)).await;
    }
    Ok(())
}

async fn join(
    server: &Server,
    count: usize,
    room_id: impl Fn(usize) -> String,
) -> anyhow::Result<Vec<Arc<Mutex<Client>>>> {
    let mut clients = Vec::with_capacity(count);
    for number in 0..count {
        let mut client = Client::join(server.address, &room_id(number)).await?;
        client.send("are you there?").await?;
        client.text().await?;
        clients.push(Arc::new(Mutex::new(client)));
    }
    Ok(clients)
}

/// Keeps a room spinning: each time it is ended for it, another client makes a fresh one spin.
fn spin(server: &Server, number: usize) -> tokio::task::JoinHandle<()> {
    let address = server.address;
    tokio::spawn(async move {
        loop {
            if let Ok(mut client) = Client::join(address, &format!("spinning-{number}")).await
                && client.send("spin").await.is_ok()
            {
                let _ = client.text().await;
            }
        }
    })
}
