//! A server with a native service for the tests to talk to, and a client to talk with.

use futures_util::{SinkExt as _, StreamExt as _};
use stateroom::{
    ClientId, MessageRecipient, Request, Response, SimpleServiceFactory, SimpleStateroomService,
    StateroomContext,
};
use stateroom_server::{RunError, Server, ServerConfig, ServerHandle};
use std::{
    future::Future,
    net::SocketAddr,
    sync::Mutex,
    time::{Duration, Instant},
};
use tokio::{net::TcpStream, sync::oneshot::Receiver, time::timeout};
use tokio_tungstenite::{
    WebSocketStream, connect_async,
    tungstenite::{Error, Message},
};

/// Longer than anything here takes; a test that waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Keeps a log of what it heard, and obeys a few words.
pub(crate) struct TestService {
    room_id: String,
    log: Vec<String>,
}

/// What every room of this process heard last, by room id: for events whose client is gone.
pub(crate) static HEARD: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

impl TestService {
    fn note(&mut self, event: String) {
        HEARD.lock().unwrap().push((self.room_id.clone(), event.clone()));
        self.log.push(event);
    }
}

impl SimpleStateroomService for TestService {
    fn new(room_id: &str, _: &impl StateroomContext) -> Self {
        assert!(!room_id.starts_with("unstartable"), "as asked");
        TestService { room_id: room_id.to_owned(), log: Vec::new() }
    }

    fn connect(&mut self, client: ClientId, context: &impl StateroomContext) {
        self.note(format!("connect {client}"));
        if self.room_id == "slow-to-let-in" {
            work(Duration::from_millis(2));
        }
        context.send_message(client, &format!("you are {client} in {}", self.room_id));
    }

    fn disconnect(&mut self, client: ClientId, context: &impl StateroomContext) {
        self.note(format!("disconnect {client}"));
        if self.room_id == "slow-to-let-go" {
            work(Duration::from_millis(2));
        }
        context.send_message(MessageRecipient::Broadcast, &format!("{client} left"));
    }

    fn message(&mut self, client: ClientId, message: &str, context: &impl StateroomContext) {
        match message.split_once(' ').unwrap_or((message, "")) {
            ("all", text) => context.send_message(MessageRecipient::Broadcast, text),
            ("others", text) => {
                context.send_message(MessageRecipient::EveryoneExcept(client), text);
            }
            ("flood", count) => {
                let megabyte = vec![b'x'; 1024 * 1024];
                for _ in 0..count.parse().unwrap_or(0) {
                    context.send_binary(MessageRecipient::Broadcast, &megabyte);
                }
            }
            ("large", mebibytes) => {
                let large = vec![b'x'; mebibytes.parse::<usize>().unwrap_or(0) << 20];
                context.send_binary(client, &large);
            }
            ("recurse", kibibytes) => {
                let depth = recurse(kibibytes.parse().unwrap_or(0));
                context.send_message(client, &depth.to_string());
            }
            ("timer", delay) => context.set_timer(delay.parse().unwrap_or(1)),
            ("work", microseconds) => work(Duration::from_micros(microseconds.parse().unwrap())),
            ("busy", milliseconds) => {
                let end = Instant::now() + Duration::from_millis(milliseconds.parse().unwrap());
                while Instant::now() < end {
                    work(Duration::from_millis(2));
                    // As the host of a module does in the middle of an event that takes long.
                    stateroom_server::lend_thread();
                }
                context.send_message(client, "done");
            }
            ("panic", _) => panic!("as asked"),
            ("log", _) => context.send_message(client, &self.log.join(",")),
            ("quiet", _) => {}
            _ => context.send_message(client, message),
        }
    }

    fn binary(&mut self, client: ClientId, message: &[u8], context: &impl StateroomContext) {
        context.send_binary(client, message);
    }

    fn timer(&mut self, context: &impl StateroomContext) {
        context.send_message(MessageRecipient::Broadcast, "timer");
    }

    fn request(&mut self, request: &Request, context: &impl StateroomContext) -> Response {
        let Request { method, path, query, user, headers, body, .. } = request;
        self.note(format!("{method} {path}"));
        let body = String::from_utf8_lossy(body);
        match &**path {
            "/tell" => {
                let headers: Vec<_> = headers.iter().map(|(name, _)| &**name).collect();
                let user = user.as_deref().unwrap_or("nobody");
                let headers = headers.join(",");
                Response::text(&format!("{method} {query} {user} {headers} {body}"))
            }
            "/say" => {
                context.send_message(MessageRecipient::Broadcast, &body);
                Response::json("{}").with_status(201).with_header("location", "/said")
            }
            "/odd" => Response {
                status: 200,
                headers: [("set-cookie", "a=b"), ("location", "x\r\nevil: 1"), ("etag", "\"a\"")]
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .to_vec(),
                body: Vec::new(),
            },
            "/work" => {
                work(Duration::from_millis(body.parse().unwrap()));
                Response::new(204)
            }
            // Until the test says so.
            "/wait" => {
                while !heard(&self.room_id).iter().any(|event| event == "go on") {
                    work(Duration::from_millis(2));
                    // As the host of a module does in the middle of an event that takes long.
                    stateroom_server::lend_thread();
                }
                Response::new(204)
            }
            "/panic" => panic!("as asked"),
            // More than sockets hold that nobody reads from.
            "/large" => Response::text(&"x".repeat(16 << 20)),
            _ => Response::new(404),
        }
    }
}

/// Takes a KiB of stack, and more, for each level.
#[inline(never)]
fn recurse(levels: usize) -> usize {
    let frame = std::hint::black_box([0_u8; 1024]);
    let below = levels.checked_sub(1).map_or(0, recurse);
    below + usize::from(frame[levels % 1024]) + 1
}

fn work(time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {}
}

pub(crate) type Factory = SimpleServiceFactory<TestService>;

/// A server that listens on a free port of 127.0.0.1.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) handle: ServerHandle<Factory>,
    pub(crate) ended: Receiver<Result<(), RunError>>,
}

pub(crate) async fn start(configure: impl FnOnce(&mut ServerConfig)) -> TestServer {
    let mut server = Server::new().with_port(0).with_ip("127.0.0.1".into());
    configure(&mut server.config);
    let running = server.bind(Factory::new()).unwrap();
    let address = running.local_addr();
    let handle = running.handle();
    // Not a task: a runtime would wait for it, and most tests leave their server running.
    let (tell, ended) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || tell.send(running.run()));
    TestServer { address, handle, ended }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.handle.shutdown();
    }
}

impl TestServer {
    pub(crate) async fn join(&self, path: &str) -> Client {
        Client(connect_async(format!("ws://{}{path}", self.address)).await.unwrap().0)
    }

    /// The status with which a client is turned away.
    pub(crate) async fn refusal(&self, path: &str) -> u16 {
        match connect_async(format!("ws://{}{path}", self.address)).await {
            Err(Error::Http(response)) => response.status().as_u16(),
            other => panic!("{path} was not refused: {other:?}"),
        }
    }

    /// The body of a GET, with its status line and headers.
    pub(crate) async fn get(&self, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        self.raw(request.as_bytes()).await
    }

    /// The status and the body that a GET is answered with.
    pub(crate) async fn ask_for(&self, path: &str) -> (u16, String) {
        parts(&self.get(path).await)
    }

    /// All that the server answers to these bytes before it closes.
    pub(crate) async fn raw(&self, request: &[u8]) -> String {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        within(stream.read_to_end(&mut answer)).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    pub(crate) async fn status(&self) -> serde_json::Value {
        let answer = self.get("/status").await;
        serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap()
    }

    /// Waits until `/status` shows what is wanted.
    pub(crate) async fn until_status(&self, wanted: impl Fn(&serde_json::Value) -> bool) {
        within(async {
            while !wanted(&self.status().await) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
    }
}

pub(crate) struct Client(pub(crate) WebSocketStream<tokio_tungstenite::MaybeTlsStream<TcpStream>>);

impl Client {
    pub(crate) async fn send(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    pub(crate) async fn next(&mut self) -> Message {
        within(self.0.next()).await.expect("the connection ended").unwrap()
    }

    /// The next text; pings and the like are passed over.
    pub(crate) async fn text(&mut self) -> String {
        loop {
            match self.next().await {
                Message::Text(text) => return text.to_string(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("expected a text, got {other:?}"),
            }
        }
    }

    /// Asks, and returns the answer.
    pub(crate) async fn ask(&mut self, text: &str) -> String {
        self.send(text).await;
        self.text().await
    }

    /// Reads on until the server closes; its code and reason.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        loop {
            match within(self.0.next()).await {
                Some(Ok(Message::Close(Some(frame)))) => {
                    return (frame.code.into(), frame.reason.to_string());
                }
                Some(Ok(_)) => {}
                other => panic!("expected a close frame, got {other:?}"),
            }
        }
    }
}

/// The status and the body of an HTTP answer.
pub(crate) fn parts(answer: &str) -> (u16, String) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or(0), body.to_owned())
}

pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("this takes too long")
}

/// What the room `room_id` has heard so far.
pub(crate) fn heard(room_id: &str) -> Vec<String> {
    let heard = HEARD.lock().unwrap();
    heard.iter().filter(|(room, _)| room == room_id).map(|(_, event)| event.clone()).collect()
}

/// Waits until the last event the room heard is `event`.
pub(crate) async fn until_heard(room_id: &str, event: &str) {
    within(async {
        while heard(room_id).last().map(String::as_str) != Some(event) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
