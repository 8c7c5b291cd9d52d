//! How a server ends.

use crate::support::{heard, start, within};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_closes_everyone_with_1001_and_lets_nobody_in() {
    let mut server = start(|_| {}).await;
    let mut ann = server.join("/ws/ending").await;
    let mut bob = server.join("/ws/ending-too").await;
    ann.text().await;
    bob.text().await;
    server.handle.shutdown();
    for client in [&mut ann, &mut bob] {
        let reason = "the server is shutting down".to_owned();
        assert_eq!(client.closed().await, (1001, reason));
    }
    drop((ann, bob));
    within(&mut server.ended).await.unwrap().unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
    assert_eq!(heard("ending"), ["connect 1", "disconnect 1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_answer_delays_a_shutdown_only_so_long() {
    let mut server = start(|config| config.shutdown_timeout = Duration::from_millis(300)).await;
    let mut deaf = server.join("/ws/deaf").await;
    deaf.text().await;
    let idle_http = TcpStream::connect(server.address).await.unwrap();
    let before = Instant::now();
    server.handle.shutdown();
    within(&mut server.ended).await.unwrap().unwrap();
    assert!(before.elapsed() < Duration::from_secs(2), "{:?}", before.elapsed());
    drop(idle_http);
}
