//! Rooms that sleep, as their clients see it: not at all.

use crate::{
    process::{Running, stateroom, status, until_status},
    project::{Module, REMEMBERING_ROOM},
};
use futures_util::{SinkExt as _, StreamExt as _};
use std::time::{Duration, Instant};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

/// Longer than any answer takes here.
const PATIENCE: Duration = Duration::from_secs(20);

struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    async fn join(address: &str, room: &str) -> Client {
        Client(connect_async(format!("ws://{address}/ws/{room}")).await.unwrap().0)
    }

    async fn next(&mut self) -> Message {
        timeout(PATIENCE, self.0.next()).await.expect("no answer").unwrap().unwrap()
    }

    /// The next text message.
    async fn hears(&mut self) -> String {
        loop {
            if let Message::Text(text) = self.next().await {
                return text.to_string();
            }
        }
    }

    async fn ask(&mut self, text: &str) -> String {
        self.0.send(Message::text(text)).await.unwrap();
        self.hears().await
    }
}

/// A server of rooms that remember, with these arguments; and its address.
fn serve(arguments: &[&str]) -> (Running, String) {
    let module = Module::new(REMEMBERING_ROOM);
    let mut command = stateroom(["serve", "--host", "127.0.0.1", "--port", "0"]);
    let mut server = Running::start(command.arg(&module.path).args(arguments));
    let address = server.address();
    (server, address)
}

#[tokio::test]
async fn a_room_that_slept_is_as_it_was() {
    let (_server, address) = serve(&["--sleep-after", "200ms"]);
    let mut clients = Vec::new();
    for room in ["one", "two", "three"] {
        let mut client = Client::join(&address, room).await;
        assert_eq!(client.ask(room).await, "");
        clients.push(client);
    }
    for round in 1..=3 {
        until_status(&address, |status| status["rooms_asleep"] == 3);
        for (client, room) in clients.iter_mut().zip(["one", "two", "three"]) {
            assert_eq!(client.ask(room).await, room);
        }
        assert_eq!(status(&address)["wakes"], 3 * round);
    }
    assert_eq!(status(&address)["active_connections"], 3);
}

#[tokio::test]
async fn the_log_tells_how_many_rooms_are_awake_asleep_and_on_disk() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().to_str().unwrap();
    let times = ["--sleep-after", "100ms", "--hibernate-after", "500ms"];
    let arguments = [&times[..], &["--log-rooms-every", "20ms", "--ephemeral=false"]].concat();
    let (mut server, address) = serve(&[&arguments[..], &["--data-dir", folder]].concat());
    let mut client = Client::join(&address, "test").await;
    assert_eq!(client.ask("here").await, "");
    let tiers = |awake: u8, asleep: u8, on_disk: u8| {
        format!(r#""awake":{awake},"asleep":{asleep},"on_disk":{on_disk},"#)
    };
    for tiers in [tiers(1, 0, 0), tiers(0, 1, 0), tiers(0, 0, 1)] {
        let line = server.hears(&tiers);
        assert!(line.contains(r#""clients":1,"#), "{line}");
    }
    assert_eq!(client.ask("again").await, "here");
    let line = server.hears(&tiers(1, 0, 0));
    assert!(line.contains(r#""wakes":1,"wake_p99":"#), "{line}");
}

#[tokio::test]
async fn a_timer_wakes_a_room() {
    let (_server, address) = serve(&["--sleep-after", "200ms"]);
    let mut client = Client::join(&address, "test").await;
    let mut other = Client::join(&address, "test").await;
    let before = Instant::now();
    assert_eq!(client.ask("time").await, "");
    until_status(&address, |status| status["rooms_asleep"] == 1);
    assert!(before.elapsed() < Duration::from_millis(700), "the timer fires while it sleeps");
    assert_eq!((client.hears().await, other.hears().await), ("time".into(), "time".into()));
    assert!(before.elapsed() >= Duration::from_millis(700));
    assert_eq!(status(&address)["wakes"], 1);
    // Until it sleeps again.
    until_status(&address, |status| status["rooms_asleep"] == 0);
}

#[tokio::test]
async fn heartbeats_wake_nobody_and_find_the_dead() {
    let arguments = ["--heartbeat-interval", "100ms", "--heartbeat-timeout", "1s"];
    let (_server, address) = serve(&[&arguments[..], &["--sleep-after", "200ms"]].concat());
    let mut alive = Client::join(&address, "alive").await;
    assert_eq!(alive.ask("state").await, "");
    until_status(&address, |status| status["rooms_asleep"] == 1);
    // Reading answers the pings; nobody reads for the other client.
    let mut silent = Client::join(&address, "silent").await;
    assert_eq!(silent.ask("state").await, "");
    for _ in 0..8 {
        assert!(alive.next().await.is_ping());
    }
    let before = status(&address);
    assert_eq!(before["wakes"], 0, "{before}");
    while status(&address)["active_connections"] == 2 {
        assert!(alive.next().await.is_ping());
    }
    until_status(&address, |status| status["rooms_asleep"] == 2);
    assert_eq!(status(&address)["wakes"], 1, "only the room hears that its client has gone");
    assert_eq!(alive.ask("again").await, "state");
}

#[tokio::test]
async fn a_room_sleeps_though_one_of_its_clients_is_pinged_at_any_time() {
    let heartbeats = ["--heartbeat-interval", "200ms", "--heartbeat-timeout", "20s"];
    let (_server, address) = serve(&[&heartbeats[..], &["--sleep-after", "200ms"]].concat());
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = Client::join(&address, "test").await;
        // Reading answers the pings.
        clients.push(tokio::spawn(async move { while client.0.next().await.is_some() {} }));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let asleep = async {
        while status(&address)["rooms_asleep"] != 1 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(3), asleep).await.expect("the room stays awake");
    assert_eq!(status(&address)["active_connections"], 20);
}

#[tokio::test]
async fn many_more_rooms_than_may_be_awake_answer_in_any_order() {
    const ROOMS: usize = 200;
    let (_server, address) = serve(&["--max-awake-rooms", "4", "--sleep-after", "1h"]);
    let mut clients = Vec::new();
    let mut told = vec![String::new(); ROOMS];
    for room in 0..ROOMS {
        clients.push(Client::join(&address, &format!("room-{room}")).await);
    }
    let mut random = fastrand::Rng::with_seed(7);
    for number in 0..2_000 {
        let room = random.usize(..ROOMS);
        let text = format!("{room} was told {number}");
        let answer = clients[room].ask(&text).await;
        assert_eq!(answer, std::mem::replace(&mut told[room], text));
    }
    // All at once.
    for round in 0..5 {
        for (room, client) in clients.iter_mut().enumerate() {
            client.0.send(Message::text(format!("{room} in round {round}"))).await.unwrap();
        }
        for (room, client) in clients.iter_mut().enumerate() {
            let text = format!("{room} in round {round}");
            assert_eq!(client.hears().await, std::mem::replace(&mut told[room], text));
        }
    }
    until_status(&address, |status| status["rooms_asleep"].as_u64() >= Some(ROOMS as u64 - 4));
    assert_eq!(status(&address)["rooms"], ROOMS);
}

#[tokio::test]
async fn a_room_that_is_never_to_stay_awake_answers_all_the_same() {
    let (_server, address) = serve(&["--sleep-after", "0s"]);
    let mut client = Client::join(&address, "test").await;
    let mut other = Client::join(&address, "test").await;
    let mut told = String::new();
    for number in 0..200 {
        let (text, next) = (format!("number {number}"), format!("and after {number}"));
        client.0.send(Message::text(text.clone())).await.unwrap();
        assert_eq!(client.hears().await, told);
        assert_eq!(other.ask(&next).await, text);
        told = next;
    }
    // Its turn is never over while this goes on.
    for _ in 0..20_000 {
        client.0.feed(Message::text("more")).await.unwrap();
    }
    client.0.flush().await.unwrap();
    for _ in 0..20_000 {
        client.hears().await;
    }
    until_status(&address, |status| status["rooms_asleep"] == 1);
}
