//! Ten thousand rooms with a client each, while one of them computes without end.

use stateroom_benches::{Client, Server, build_guest, echo_latency};
use std::{sync::Arc, time::Duration};
use tokio::sync::Mutex;

const ROOMS: usize = 10_000;

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_rooms_answer_within_20_ms_while_one_spins() {
    let server = Server::start(&build_guest().unwrap()).await.unwrap();
    let mut clients = Vec::with_capacity(ROOMS);
    for number in 0..ROOMS {
        let client = Client::join(server.address, &format!("room-{number}")).await.unwrap();
        clients.push(Arc::new(Mutex::new(client)));
    }
    // Every room answers, and none has forgotten its client.
    let all = echo_latency(&clients, 2000, Duration::from_secs(5)).await.unwrap();

    let address = server.address;
    let spinning = tokio::spawn(async move {
        let mut ends = Vec::new();
        while ends.len() < 3 {
            let mut client = Client::join(address, "spinning").await.unwrap();
            client.send("spin").await.unwrap();
            ends.push(client.text().await.unwrap_err().to_string());
        }
        ends
    });
    let beside_a_spinning_room = echo_latency(&clients, 500, Duration::from_secs(3)).await.unwrap();
    for end in spinning.await.unwrap() {
        assert!(end.contains("room failed"), "{end}");
    }
    println!("all rooms: {all:?}; beside a spinning room: {beside_a_spinning_room:?}");
    assert!(beside_a_spinning_room.p99 < Duration::from_millis(20), "{beside_a_spinning_room:?}");
}
