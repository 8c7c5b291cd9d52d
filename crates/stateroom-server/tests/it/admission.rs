//! Who gets in, and what everybody else is told.

use crate::support::{Client, TestService, start};
use stateroom::SimpleServiceFactory;
use stateroom_server::Server;
use std::time::Duration;
use tokio_tungstenite::{connect_async, tungstenite::client::IntoClientRequest as _};

#[tokio::test(flavor = "multi_thread")]
async fn room_ids_are_any_text_of_1_to_128_bytes_after_decoding() {
    let server = start(|_| {}).await;
    assert_eq!(server.join("/ws").await.text().await, "you are 1 in default");
    assert_eq!(server.join("/ws/a%20b%2Fc").await.text().await, "you are 1 in a b/c");
    assert_eq!(server.join("/ws/%C3%BCber").await.text().await, "you are 1 in über");
    let longest = "x".repeat(128);
    let path = format!("/ws/{longest}");
    assert_eq!(server.join(&path).await.text().await, format!("you are 1 in {longest}"));
    assert_eq!(server.refusal(&format!("/ws/{longest}x")).await, 400);
    assert_eq!(server.refusal("/ws/").await, 400);
    assert_eq!(server.refusal("/ws/%FF%FE").await, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_have_1_to_128_bytes() {
    let server = start(|_| {}).await;
    assert_eq!(server.refusal("/ws/t?token=").await, 400);
    assert_eq!(server.refusal(&format!("/ws/t?token={}", "x".repeat(129))).await, 400);
    server.join(&format!("/ws/t?token={}", "x".repeat(128))).await.text().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_on_rooms_and_clients_answer_503() {
    let server = start(|config| {
        config.max_rooms = 2;
        config.max_clients_per_room = 2;
        config.max_clients = 3;
        config.empty_room_timeout = Duration::ZERO;
    })
    .await;
    let ann = server.join("/ws/a").await;
    let bob = server.join("/ws/a").await;
    assert_eq!(server.refusal("/ws/a").await, 503, "the room is full");
    let eve = server.join("/ws/b").await;
    assert_eq!(server.refusal("/ws/b").await, 503, "the server is full of clients");
    drop(bob);
    server.until_status(|status| status["active_connections"] == 2).await;
    assert_eq!(server.refusal("/ws/c").await, 503, "the server is full of rooms");
    drop((ann, eve));
    server.until_status(|status| status["rooms"] == 0).await;
    server.join("/ws/c").await.text().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn status_and_health_are_told() {
    let server = start(|_| {}).await;
    assert!(server.get("/healthz").await.ends_with("\r\n\r\nok"));
    let status = server.status().await;
    assert_eq!(status["active_connections"], 0);
    assert_eq!(status["rooms"], 0);
    assert_eq!(status["listening"], true);
    assert!(status["seconds_inactive"].is_u64());
    let mut client = server.join("/ws/seen").await;
    client.text().await;
    let status = server.status().await;
    assert_eq!((&status["active_connections"], &status["rooms"]), (&1.into(), &1.into()));
    assert_eq!(status["seconds_inactive"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn static_files_and_the_client_are_served() {
    let folder = std::env::temp_dir().join(format!("stateroom-static-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("site")).unwrap();
    std::fs::create_dir_all(folder.join("client")).unwrap();
    std::fs::write(folder.join("site/index.html"), "<p>page</p>").unwrap();
    std::fs::write(folder.join("client/app.js"), "script").unwrap();
    std::fs::write(folder.join("secret"), "secret").unwrap();
    let server = start(|config| {
        config.static_path = Some(folder.join("site"));
        config.client_path = Some(folder.join("client"));
    })
    .await;
    assert!(server.get("/").await.ends_with("<p>page</p>"));
    assert!(server.get("/client/app.js").await.ends_with("script"));
    assert!(server.get("/missing").await.starts_with("HTTP/1.1 404"));
    for path in ["/../secret", "/..%2Fsecret", "/client/..%2F..%2Fsecret"] {
        assert!(!server.get(path).await.contains("\r\n\r\nsecret"), "{path} leaves the folder");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_offers_subprotocols_gets_one_and_other_paths_open_rooms() {
    let server = start(|config| {
        config.room_paths = vec!["/parties/main/{room}".parse().unwrap()];
    })
    .await;
    let open = async |path: &str, offers: &str| {
        let mut request = format!("ws://{}{path}", server.address).into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", offers.parse().unwrap());
        // It fails where it offers some and is answered none, or another.
        let (socket, answer) = connect_async(request).await.unwrap();
        let chosen = answer.headers()["sec-websocket-protocol"].to_str().unwrap().to_owned();
        (Client(socket), chosen)
    };
    let (mut client, chosen) = open("/ws/room", "json").await;
    assert_eq!((&*chosen, &*client.text().await), ("json", "you are 1 in room"));
    let (mut client, chosen) = open("/parties/main/room", "chat, json").await;
    assert_eq!((&*chosen, &*client.text().await), ("chat", "you are 2 in room"));
    // Without a handshake it is told what the address is for.
    assert_eq!(server.ask_for("/parties/main/room").await.0, 426);
    assert_eq!(server.refusal("/parties/other/room").await, 404);
}

/// As programs of the published 0.2 call it.
#[test]
fn what_was_said_to_a_server_of_0_2_is_understood() {
    let factory = SimpleServiceFactory::<TestService>::new;
    let port: u32 = 0;
    let server = Server::new()
        .with_heartbeat_interval(30)
        .with_heartbeat_timeout(300)
        .with_port(port)
        .with_ip("localhost".to_string());
    assert!(server.bind(factory()).unwrap().local_addr().ip().is_loopback());
    // It is never awaited.
    let _serving = async { Server::new().with_port(8080).serve_async(factory()).await };
    for (server, told) in [
        (Server::new().with_port(70_000), "there is no port 70000"),
        (Server::new().with_ip("no such host".into()), "`no such host` is no IP address"),
    ] {
        let error = server.serve(factory()).unwrap_err();
        assert!(error.to_string().starts_with(told), "{error}");
    }
}
