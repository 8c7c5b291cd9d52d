//! Rooms that are kept, with a store that commits when the test says so.

use crate::support::{Client, within};
use futures_util::{SinkExt as _, StreamExt as _};
use stateroom::{
    Birth, ClientId, CodeVersion, MessageRecipient, RestoreFailure, SavedState, ServiceFailure,
    StateroomContext as _, StateroomService, StateroomServiceFactory,
};
use stateroom_room::RoomContext;
use stateroom_server::{Keeping, Server, ServerHandle, Survives};
use stateroom_store::{MemoryStore, Monitor, Outcome, Reader, Store, StoreError, Ticket, Write};
use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
        mpsc::{Receiver, Sender, channel},
    },
    time::{Duration, Instant},
};
use tokio::{io::AsyncWriteExt as _, net::TcpStream, task::JoinHandle};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

/// Answers its client, and sends everyone more than a room may have waiting when it is told to.
pub(crate) struct Echo {
    context: RoomContext,
    heard: Arc<AtomicUsize>,
}

/// Of echoes; counts the messages and timers that they hear.
#[derive(Clone, Default)]
pub(crate) struct Echoes {
    heard: Arc<AtomicUsize>,
    version: u8,
    /// Held by each copy.
    copies: Arc<()>,
}

impl StateroomService for Echo {
    fn message(&mut self, client: ClientId, message: &str) {
        let is_long = message == "flood for long";
        let heard_at = Instant::now();
        self.heard.fetch_add(1, SeqCst);
        while is_long && heard_at.elapsed() < Duration::from_millis(200) {
            // As the host of a module does in the middle of an event that takes long.
            stateroom_server::lend_thread();
            std::thread::yield_now();
        }
        if let Some(milliseconds) = message.strip_prefix("timer ") {
            self.context.set_timer(milliseconds.parse().unwrap());
        }
        if message.starts_with("flood") {
            self.context.send_binary(MessageRecipient::Broadcast, &vec![0; 2 << 20]);
        }
        self.context.send_message(client, message);
    }

    fn timer(&mut self) {
        self.heard.fetch_add(1, SeqCst);
    }

    fn save(&mut self) -> Option<SavedState> {
        Some(SavedState::new(|| Ok(Vec::new())))
    }

    fn hand_over(&mut self) -> Option<Result<Vec<u8>, ServiceFailure>> {
        None
    }
}

impl StateroomServiceFactory<RoomContext> for Echoes {
    type Service = Echo;
    type Error = Infallible;

    fn build(&self, _: &str, context: RoomContext) -> Result<Echo, Infallible> {
        Ok(Echo { context, heard: self.heard.clone() })
    }

    fn build_at(&self, id: &str, context: RoomContext, _: &Birth) -> Result<Echo, Infallible> {
        self.build(id, context)
    }

    fn version(&self) -> Result<CodeVersion, String> {
        Ok(CodeVersion([1 + self.version; 32]))
    }

    fn code(&self) -> Option<Arc<[u8]>> {
        Some([].into())
    }

    fn restore(&self, id: &str, context: RoomContext, _: &[u8]) -> Result<Echo, RestoreFailure> {
        self.build(id, context).map_err(|error| match error {})
    }
}

/// A store whose commits wait until they are let through.
struct Held {
    store: MemoryStore,
    /// Told of each commit that begins.
    begun: Sender<()>,
    /// Tells that one may go on; all may once nobody is there to tell.
    go_on: Receiver<()>,
    /// How many bytes of events the largest record had.
    largest: Arc<AtomicUsize>,
    /// Whether its disk is full.
    is_full: Arc<AtomicBool>,
    refused: Option<(Ticket, Outcome)>,
}

impl Store for Held {
    fn append(&mut self, record: &[Write]) -> Ticket {
        if self.is_full.load(SeqCst) {
            let full = StoreError::Full { path: "disk".into() };
            let ticket = Ticket(u64::MAX);
            self.refused = Some((ticket, Outcome::Refused(full)));
            return ticket;
        }
        let bytes = record.iter().map(|write| match write {
            Write::Append { records, .. } => records.len(),
            _ => 0,
        });
        self.largest.fetch_max(bytes.sum(), SeqCst);
        let _ = self.begun.send(());
        let _ = self.go_on.recv();
        self.store.append(record)
    }

    fn settle(&mut self) -> Vec<(Ticket, Outcome)> {
        self.refused.take().into_iter().chain(self.store.settle()).collect()
    }

    fn finish(&mut self) -> Result<(), StoreError> {
        self.store.finish()
    }

    fn monitor(&self) -> Arc<dyn Monitor> {
        self.store.monitor()
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        self.store.reader()
    }
}

/// A server of echoes, and the way to its store.
struct KeptServer {
    address: SocketAddr,
    handle: ServerHandle<Echoes>,
    heard: Arc<AtomicUsize>,
    copies: Arc<()>,
    largest: Arc<AtomicUsize>,
    is_full: Arc<AtomicBool>,
    begun: Receiver<()>,
    go_on: Option<Sender<()>>,
    store: MemoryStore,
}

impl KeptServer {
    fn start() -> KeptServer {
        Self::start_with(false)
    }

    /// With `starts_anew`, rooms start anew when there is new code.
    fn start_with(starts_anew: bool) -> KeptServer {
        let ((begin, begun), (go_on, going_on)) = (channel(), channel());
        let echoes = Echoes::default();
        let (heard, copies) = (echoes.heard.clone(), echoes.copies.clone());
        let mut server = Server::new().with_port(0).with_ip("127.0.0.1".into());
        server.config.shards = 1;
        server.config.empty_room_timeout = Duration::from_millis(50);
        server.config.forget_after = Some(Duration::from_millis(200));
        // What is not read while the store is held is not what is tried here.
        server.config.max_unfinished_bytes = 1 << 30;
        let store = MemoryStore::new();
        let largest = Arc::new(AtomicUsize::new(0));
        let is_full = Arc::new(AtomicBool::new(false));
        let held = Held {
            store: store.clone(),
            begun: begin,
            go_on: going_on,
            largest: largest.clone(),
            is_full: is_full.clone(),
            refused: None,
        };
        let keeping = Keeping {
            store: Box::new(held),
            // So that rooms wait for the store.
            survives: Survives::PowerLoss,
            load_code: Arc::new(|_| Err("there is one code".to_owned())),
            starts_anew,
        };
        // The code is kept before anything else can happen.
        go_on.send(()).unwrap();
        let running = server.bind_keeping(echoes, keeping).unwrap();
        let (address, handle) = (running.local_addr(), running.handle());
        std::thread::spawn(move || running.run());
        let server = KeptServer {
            address,
            handle,
            heard,
            copies,
            largest,
            is_full,
            begun,
            go_on: Some(go_on),
            store,
        };
        server.until_commit();
        server
    }

    /// Waits until a commit has begun.
    fn until_commit(&self) {
        self.begun.recv_timeout(Duration::from_secs(20)).expect("nothing is committed");
    }

    fn let_one_through(&self) {
        self.until_commit();
        self.go_on.as_ref().unwrap().send(()).unwrap();
    }

    /// Has no commit wait any more.
    fn let_all_through(&mut self) {
        self.go_on = None;
    }

    async fn until_heard(&self, messages: usize) {
        within(async {
            while self.heard.load(SeqCst) < messages {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
    }

    /// Somebody who is in the room, which everything that waits is let through for.
    async fn join(&self) -> Client {
        let joining = connect_async(format!("ws://{}/ws/lobby", self.address));
        let client = Client(joining.await.unwrap().0);
        self.let_one_through();
        client
    }

    /// Somebody in each of so many rooms, as [`Self::join`].
    async fn join_rooms(&self, rooms: usize) -> Vec<Client> {
        let mut clients = Vec::new();
        for number in 0..rooms {
            let address = format!("ws://{}/ws/room-{number}", self.address);
            clients.push(Client(connect_async(address).await.unwrap().0));
            self.let_one_through();
        }
        clients
    }

    /// Somebody who sends a message together with the request to be let in.
    async fn join_saying(&self, text: &[u8]) -> Client {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = "GET /ws/lobby HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\n\
                       upgrade: websocket\r\nsec-websocket-version: 13\r\n\
                       sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
        let mut bytes = request.as_bytes().to_vec();
        // A masked text frame, whose mask changes nothing.
        bytes.extend([0x81, 0x80 | u8::try_from(text.len()).unwrap(), 0, 0, 0, 0]);
        bytes.extend(text);
        stream.write_all(&bytes).await.unwrap();
        let mut head = Vec::new();
        within(async {
            use tokio::io::AsyncReadExt as _;
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
        })
        .await;
        let role = tokio_tungstenite::tungstenite::protocol::Role::Client;
        Client(WebSocketStream::from_raw_socket(MaybeTlsStream::Plain(stream), role, None).await)
    }
}

const MEBIBYTE: usize = 1 << 20;

/// Each of them sends nearly as much, at the same time.
fn send_a_mebibyte(clients: Vec<Client>) -> Vec<JoinHandle<Client>> {
    let send = |mut client: Client| {
        tokio::spawn(async move {
            client.send(&"x".repeat(MEBIBYTE - 1024)).await;
            client
        })
    };
    clients.into_iter().map(send).collect()
}

impl Drop for KeptServer {
    fn drop(&mut self) {
        self.let_all_through();
        self.handle.shutdown();
    }
}

/// Reads on until this text comes.
async fn hears(client: &mut Client, text: &str) {
    while client.next().await != Message::text(text) {}
}

#[tokio::test]
async fn what_a_client_sends_with_its_request_is_heard_though_the_room_is_full_when_it_is_let_in() {
    let mut server = KeptServer::start();
    let mut talker = server.join().await;
    let mut newcomer = server.join_saying(b"hello").await;
    // The join is on its way to the store, and meanwhile much more than may wait is said.
    server.until_commit();
    talker.0.send(Message::text("flood")).await.unwrap();
    server.until_heard(1).await;
    server.let_all_through();
    hears(&mut newcomer, "hello").await;
    hears(&mut talker, "flood").await;
}

#[tokio::test]
async fn a_room_that_is_full_goes_on_though_it_was_busy_when_the_store_answered() {
    let mut server = KeptServer::start();
    let mut talker = server.join().await;
    talker.send("first").await;
    server.until_commit();
    talker.send("flood for long").await;
    server.until_heard(2).await;
    // The answer comes to the shard while the room is in the middle of its event.
    server.let_all_through();
    hears(&mut talker, "first").await;
    hears(&mut talker, "flood for long").await;
}

#[tokio::test]
async fn who_closes_right_after_a_message_has_the_answer_first() {
    let mut server = KeptServer::start();
    let mut client = server.join().await;
    client.send("last words").await;
    server.until_commit();
    client.0.send(Message::Close(None)).await.unwrap();
    server.let_all_through();
    hears(&mut client, "last words").await;
    assert!(matches!(within(client.0.next()).await, Some(Ok(Message::Close(_))) | None));
}

#[tokio::test]
async fn who_sends_no_more_after_a_message_has_the_answer_first() {
    let mut server = KeptServer::start();
    let mut client = server.join_saying(b"last words").await;
    server.let_one_through();
    server.until_heard(1).await;
    let MaybeTlsStream::Plain(stream) = client.0.get_mut() else { panic!("it is plain") };
    within(stream.shutdown()).await.unwrap();
    server.until_commit();
    server.let_all_through();
    hears(&mut client, "last words").await;
}

#[tokio::test]
async fn who_breaks_the_protocol_right_after_a_message_has_the_answer_first() {
    let mut server = KeptServer::start();
    let mut client = server.join().await;
    // A message, and a frame of a kind that there is none of.
    let frames = [b"\x81\x8A\0\0\0\0last words", &b"\x83\x80\0\0\0\0"[..]].concat();
    let MaybeTlsStream::Plain(stream) = client.0.get_mut() else { panic!("it is plain") };
    within(stream.write_all(&frames)).await.unwrap();
    server.until_heard(1).await;
    server.until_commit();
    server.let_all_through();
    hears(&mut client, "last words").await;
    assert_eq!(client.closed().await.0, 1002);
}

#[tokio::test]
async fn a_timer_that_was_due_while_the_disk_was_full_fires_when_it_is_not_though_nobody_comes() {
    let mut server = KeptServer::start();
    server.let_all_through();
    let address = format!("ws://{}/ws/lobby", server.address);
    let mut client = Client(connect_async(address).await.unwrap().0);
    client.send("timer 200").await;
    hears(&mut client, "timer 200").await;
    let mut reader = server.store.reader().unwrap();
    let events = reader.summary("lobby").unwrap().unwrap().events;
    server.is_full.store(true, SeqCst);
    // It fires, but that can't be kept.
    server.until_heard(2).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(reader.summary("lobby").unwrap().unwrap().events, events);
    server.is_full.store(false, SeqCst);
    within(async {
        while reader.summary("lobby").unwrap().unwrap().events == events {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_room_in_which_nothing_was_said_is_not_kept() {
    let mut server = KeptServer::start();
    let client = server.join().await;
    server.let_all_through();
    let mut reader = server.store.reader().unwrap();
    let is_kept = |reader: &mut Box<dyn Reader>| reader.load("lobby").unwrap().is_some();
    within(async {
        while !is_kept(&mut reader) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        drop(client);
        while is_kept(&mut reader) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_room_that_nobody_visits_is_forgotten_after_its_time_and_one_in_use_is_not() {
    let mut server = KeptServer::start();
    let mut client = server.join().await;
    let mut other =
        Client(connect_async(format!("ws://{}/ws/other", server.address)).await.unwrap().0);
    server.let_all_through();
    client.send("hello").await;
    hears(&mut client, "hello").await;
    other.send("hello").await;
    hears(&mut other, "hello").await;
    drop(client);
    let mut reader = server.store.reader().unwrap();
    within(async {
        while reader.load("lobby").unwrap().is_some() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    assert!(reader.load("other").unwrap().is_some());
    other.send("still here").await;
    hears(&mut other, "still here").await;
}

#[tokio::test]
async fn who_closes_is_let_go_though_the_store_does_not_answer() {
    let server = KeptServer::start();
    let mut client = server.join().await;
    client.send("last words").await;
    server.until_commit();
    let began = Instant::now();
    client.0.send(Message::Close(None)).await.unwrap();
    assert!(matches!(within(client.0.next()).await, Some(Ok(Message::Close(_)))));
    let took = began.elapsed();
    assert!((Duration::from_secs(1)..Duration::from_secs(10)).contains(&took), "{took:?}");
}

#[tokio::test]
async fn code_that_only_rooms_on_disk_have_does_not_gather_in_memory() {
    let mut server = KeptServer::start();
    server.let_all_through();
    let mut clients = Vec::new();
    for version in 1..=20 {
        let (heard, copies) = (server.heard.clone(), server.copies.clone());
        server.handle.swap(Echoes { heard, version, copies }).unwrap();
        let address = format!("ws://{}/ws/of-{version}", server.address);
        let mut client = Client(connect_async(address).await.unwrap().0);
        client.send("hello").await;
        hears(&mut client, "hello").await;
        clients.push(client);
    }
    // This one, and that of the server itself.
    let in_use = || Arc::strong_count(&server.copies) - 1;
    assert!(in_use() >= 20, "each room goes on with its own: {}", in_use());
    clients.clear();
    within(async {
        while in_use() > 8 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_a_room_was_before_it_starts_anew_is_kept_beside_it_up_to_nine_times() {
    let mut server = KeptServer::start_with(true);
    let mut client = server.join().await;
    server.let_all_through();
    let mut reader = server.store.reader().unwrap();
    let mut swap = async |version| {
        let (heard, copies) = (server.heard.clone(), server.copies.clone());
        server.handle.swap(Echoes { heard, version, copies }).unwrap();
        within(async {
            while reader.load("lobby").unwrap().unwrap().snapshot.module.0 != [1 + version; 32] {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
        let names = reader.list().unwrap().into_iter().map(|room| room.room.to_string());
        let first = reader.load("lobby~1").unwrap().map(|stored| stored.snapshot.module.0[0]);
        (names.collect::<Vec<_>>(), first)
    };
    assert_eq!(swap(1).await, (vec!["lobby".to_owned()], None), "nothing was said in it");
    for version in 2..=11 {
        client.send("hello").await;
        hears(&mut client, "hello").await;
        let (names, first) = swap(version).await;
        assert_eq!(names.len(), 1 + usize::from(version - 1).min(9), "{names:?}");
        // The first that was kept had version 1. At last its place is needed.
        assert_eq!(first, Some(if version < 11 { 2 } else { 11 }));
    }
}

#[tokio::test]
async fn what_waits_for_the_store_is_bounded_for_all_rooms_together_and_so_is_one_commit() {
    let mut server = KeptServer::start();
    let clients = server.join_rooms(100).await;
    let talking = send_a_mebibyte(clients);
    // All that may wait, each to be kept and to be said again, and a commit that has begun.
    server.until_heard(32).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let heard = server.heard.load(SeqCst);
    assert!(heard < 32 + 8 + 8, "{heard} messages of a MiB were heard");
    server.let_all_through();
    server.until_heard(100).await;
    for talking in talking {
        let mut client = within(talking).await.unwrap();
        assert_eq!(client.next().await.len(), MEBIBYTE - 1024);
    }
    let largest = server.largest.load(SeqCst);
    assert!((MEBIBYTE..=9 * MEBIBYTE).contains(&largest), "one commit of {largest} bytes");
}

#[tokio::test]
async fn what_rooms_hold_while_something_is_on_its_way_is_bounded_for_all_of_them_together() {
    let mut server = KeptServer::start();
    let mut clients = server.join_rooms(100).await;
    for client in &mut clients {
        client.send("first").await;
    }
    // Of each of these the room has something on its way, so it can submit no more.
    server.until_heard(100).await;
    let talking = send_a_mebibyte(clients);
    server.until_heard(100 + 30).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    // Each is held twice: to be kept, and to be said again.
    let heard = server.heard.load(SeqCst) - 100;
    assert!(heard < 32 + 16, "{heard} messages of a MiB were heard");
    server.let_all_through();
    for talking in talking {
        let mut client = within(talking).await.unwrap();
        assert_eq!(client.next().await.len(), "first".len());
        assert_eq!(client.next().await.len(), MEBIBYTE - 1024);
    }
}

/// A request to a room that is under way.
async fn request(server: &KeptServer) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = b"POST /rooms/lobby/x HTTP/1.1\r\nhost: x\r\nidempotency-key: a\r\n\
                    content-length: 0\r\n\r\n";
    stream.write_all(request).await.unwrap();
    stream
}

/// All that is still said on a connection.
async fn rest(mut stream: TcpStream) -> String {
    use tokio::io::AsyncReadExt as _;
    let mut rest = Vec::new();
    within(stream.read_to_end(&mut rest)).await.unwrap();
    String::from_utf8(rest).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_answered_when_what_follows_from_it_is_durable() {
    let mut server = KeptServer::start();
    let asked = request(&server).await;
    server.until_commit();
    let early = asked.try_read(&mut [0; 100]).unwrap_err();
    assert_eq!(early.kind(), std::io::ErrorKind::WouldBlock);
    server.let_all_through();
    assert!(rest(asked).await.starts_with("HTTP/1.1 404 "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_which_nobody_knows_what_became_has_its_connection_closed() {
    let server = KeptServer::start();
    let asked = request(&server).await;
    server.until_commit();
    server.handle.shutdown();
    assert_eq!(rest(asked).await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_could_not_be_kept_has_not_happened_and_is_a_503() {
    let mut server = KeptServer::start();
    server.is_full.store(true, SeqCst);
    server.let_all_through();
    let answer = rest(request(&server).await).await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: "), "{answer}");
    server.is_full.store(false, SeqCst);
    assert!(rest(request(&server).await).await.starts_with("HTTP/1.1 404 "));
}
