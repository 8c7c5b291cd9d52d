//! What the server tells of itself, and how it ends where it cannot go on.

use crate::{
    kept::Echoes,
    support::{Client, PATIENCE, TestServer, parts, start, within},
};
use stateroom_server::{Keeping, RunError, Server, ServerHandle, Survives};
use stateroom_store::{
    Figures, MemoryStore, Monitor, Outcome, Reader, Store, StoreError, Ticket, Write,
};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::oneshot::Receiver,
};
use tokio_tungstenite::connect_async;

/// What a store says of itself.
#[derive(Clone, Default)]
struct State(Arc<Mutex<Says>>);

#[derive(Clone, Default)]
enum Says {
    #[default]
    Well,
    Ill(StoreError),
    Panics,
}

impl State {
    fn set(&self, says: Says) {
        *self.0.lock().unwrap() = says;
    }
}

impl Monitor for State {
    fn check(&self) -> Result<(), StoreError> {
        let says = self.0.lock().unwrap().clone();
        match says {
            Says::Well => Ok(()),
            Says::Ill(error) => Err(error),
            Says::Panics => panic!("as asked"),
        }
    }

    fn figures(&self) -> Figures {
        Figures { records: 12, log_bytes: 34, ..Figures::default() }
    }
}

/// A store that says of itself what the test has it say.
struct Watched(MemoryStore, State);

impl Store for Watched {
    fn append(&mut self, record: &[Write]) -> Ticket {
        self.0.append(record)
    }

    fn settle(&mut self) -> Vec<(Ticket, Outcome)> {
        self.0.settle()
    }

    fn finish(&mut self) -> Result<(), StoreError> {
        self.0.finish()
    }

    fn monitor(&self) -> Arc<dyn Monitor> {
        Arc::new(self.1.clone())
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        self.0.reader()
    }
}

struct WatchedServer {
    address: SocketAddr,
    handle: ServerHandle<Echoes>,
    state: State,
    ended: Receiver<Result<(), RunError>>,
}

impl WatchedServer {
    fn start() -> WatchedServer {
        let state = State::default();
        let keeping = Keeping {
            store: Box::new(Watched(MemoryStore::new(), state.clone())),
            survives: Survives::PowerLoss,
            load_code: Arc::new(|_| Err("there is one code".to_owned())),
            starts_anew: false,
        };
        let server = Server::new().with_port(0).with_ip("127.0.0.1".into());
        let running = server.bind_keeping(Echoes::default(), keeping).unwrap();
        let (address, handle) = (running.local_addr(), running.handle());
        let (tell, ended) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || tell.send(running.run()));
        WatchedServer { address, handle, state, ended }
    }

    async fn ask_for(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        within(stream.read_to_string(&mut answer)).await.unwrap();
        parts(&answer)
    }

    async fn until_health(&self, wanted: (u16, &str)) {
        within(async {
            loop {
                let (status, body) = self.ask_for("/healthz").await;
                if (status, &*body) == wanted {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }

    async fn join(&self) -> Client {
        Client(connect_async(format!("ws://{}/ws/lobby", self.address)).await.unwrap().0)
    }
}

impl Drop for WatchedServer {
    fn drop(&mut self) {
        self.handle.shutdown();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_cannot_write_fails_the_health_check_for_as_long_as_that_is_so() {
    let server = WatchedServer::start();
    assert_eq!(server.ask_for("/healthz").await, (200, "ok".to_owned()));
    let error = StoreError::ReadOnly { path: "/data/rooms".into() };
    server.state.set(Says::Ill(error.clone()));
    server.until_health((503, &error.to_string())).await;
    let status: serde_json::Value =
        serde_json::from_str(&server.ask_for("/status").await.1).unwrap();
    assert_eq!(status["health"], error.to_string());
    // It goes on all the same: this may pass.
    let mut client = server.join().await;
    assert_eq!(client.ask("hello").await, "hello");
    server.state.set(Says::Well);
    server.until_health((200, "ok")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failure_of_the_store_clients_get_1012_and_the_server_ends_saying_why() {
    let mut server = WatchedServer::start();
    let mut client = server.join().await;
    assert_eq!(client.ask("hello").await, "hello");
    let error = StoreError::Failed { path: "/data/log".into(), reason: "EIO".to_owned() };
    server.state.set(Says::Ill(error.clone()));
    assert_eq!(client.closed().await.0, 1012);
    drop(client);
    match within(&mut server.ended).await.unwrap() {
        Err(RunError::StoreFailed { reason }) => assert_eq!(reason, error.to_string()),
        other => panic!("it ended otherwise: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_of_the_server_that_panics_ends_it_and_is_named() {
    let mut server = WatchedServer::start();
    let mut client = server.join().await;
    assert_eq!(client.ask("hello").await, "hello");
    server.state.set(Says::Panics);
    assert_eq!(client.closed().await.0, 1012);
    drop(client);
    match within(&mut server.ended).await.unwrap() {
        Err(RunError::ThreadGone { thread, panicked: true }) => assert_eq!(thread, "store-watch"),
        other => panic!("it ended otherwise: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_a_store_is_well() {
    let server = start(|_| {}).await;
    assert_eq!(server.ask_for("/healthz").await, (200, "ok".to_owned()));
    assert_eq!(server.status().await["health"], "ok");
}

/// A server whose folder of static files has a pipe that nobody writes to, and how to ask for it.
async fn with_a_pipe(stall_timeout: Duration) -> (TestServer, TcpStream) {
    let folder = std::env::temp_dir().join(format!(
        "stateroom-pipe-{}-{}",
        std::process::id(),
        stall_timeout.as_millis()
    ));
    std::fs::create_dir_all(&folder).unwrap();
    let pipe = folder.join("pipe");
    let _ = std::fs::remove_file(&pipe);
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let server = start(|config| {
        config.static_path = Some(folder);
        config.shutdown_timeout = Duration::from_millis(300);
        config.http_stall_timeout = stall_timeout;
    })
    .await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET /pipe HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    (server, stream)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_ends_in_time_though_a_file_cannot_be_opened() {
    let (mut server, _stream) = with_a_pipe(PATIENCE).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let before = Instant::now();
    server.handle.shutdown();
    within(&mut server.ended).await.unwrap().unwrap();
    assert!(before.elapsed() < Duration::from_secs(5), "{:?}", before.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_file_cannot_be_opened_is_ended() {
    let (_server, mut stream) = with_a_pipe(Duration::from_millis(200)).await;
    let mut answer = String::new();
    within(stream.read_to_string(&mut answer)).await.unwrap();
    assert_eq!(parts(&answer).0, 504);
}

/// The values in `/metrics`, by name and labels.
fn values(text: &str) -> std::collections::HashMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').expect("a line has a name and a value");
            (name.to_owned(), value.parse().unwrap())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_what_has_happened_and_tell_what_there_is() {
    let server = start(|config| {
        config.shards = 2;
        config.max_clients_per_room = 2;
    })
    .await;
    let mut ann = server.join("/ws/counted").await;
    let mut bob = server.join("/ws/counted").await;
    ann.text().await;
    bob.text().await;
    for _ in 0..10 {
        ann.send("all hello").await;
        assert_eq!((ann.text().await, bob.text().await), ("hello".to_owned(), "hello".to_owned()));
    }
    // An event that takes long is counted as well, though its thread ends.
    ann.send("busy 50").await;
    assert_eq!(ann.text().await, "done");
    assert_eq!(server.refusal("/ws/counted").await, 503);
    let mut eve = server.join("/ws/failing").await;
    eve.text().await;
    eve.send("panic").await;
    assert_eq!(eve.closed().await.0, 1011);
    drop(eve);
    server.until_status(|status| status["active_connections"] == 2).await;
    // Whatever was counted comes with the round after: three who came, twelve messages.
    let (status, text) = within(async {
        loop {
            let (status, text) = server.ask_for("/metrics").await;
            if values(&text).get("stateroom_events_total").is_some_and(|events| *events >= 15.0) {
                return (status, text);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    assert_eq!(status, 200);
    let values = values(&text);
    let value =
        |name: &str| values.get(name).copied().unwrap_or_else(|| panic!("no {name}: {text}"));
    assert_eq!(value("stateroom_clients"), 2.0);
    assert_eq!(value("stateroom_rooms{tier=\"awake\"}"), 1.0);
    assert_eq!(value("stateroom_connections{kind=\"websocket\"}"), 2.0);
    assert!(value("stateroom_connections{kind=\"http\"}") >= 1.0);
    assert_eq!(value("stateroom_events_total"), 15.0);
    assert_eq!(value("stateroom_deliveries_total"), 24.0);
    assert!(value("stateroom_received_bytes_total") > 100.0);
    assert!(value("stateroom_sent_bytes_total") > 100.0);
    assert_eq!(value("stateroom_event_latency_seconds_count"), 15.0);
    assert!(value("stateroom_event_latency_seconds_sum") >= 0.05);
    assert_eq!(value("stateroom_refusals_total{reason=\"max_clients_per_room\"}"), 1.0);
    assert_eq!(value("stateroom_healthy"), 1.0);
    assert_eq!(value("stateroom_queued_bytes"), 0.0);
    assert!(values.keys().any(|name| name.starts_with("stateroom_failed_events_total{")), "{text}");
    assert!(text.len() < 32 * 1024, "{} bytes", text.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_tell_how_large_the_store_is() {
    let server = WatchedServer::start();
    let (_, text) = server.ask_for("/metrics").await;
    let values = values(&text);
    assert_eq!(values.get("stateroom_log_records_total"), Some(&12.0), "{text}");
    assert_eq!(values.get("stateroom_log_bytes"), Some(&34.0));
}
