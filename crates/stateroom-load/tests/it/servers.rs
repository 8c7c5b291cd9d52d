//! What there is to be tried: our own server with native services, and one that errs on purpose.

use futures_util::{SinkExt as _, StreamExt as _};
use stateroom::{
    ClientId, MessageRecipient, SimpleServiceFactory, SimpleStateroomService, StateroomContext,
};
use stateroom_load::{Phase, Plain, Plan, Report, run};
use std::{any::Any, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};
use tokio_tungstenite::{
    WebSocketStream, accept_async,
    tungstenite::{
        Message,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

/// Greets, and sends back what it hears.
pub(crate) struct Echo;

impl SimpleStateroomService for Echo {
    fn new(_: &str, _: &impl StateroomContext) -> Self {
        Echo
    }

    fn connect(&mut self, client: ClientId, context: &impl StateroomContext) {
        context.send_message(client, "welcome");
    }

    fn message(&mut self, client: ClientId, message: &str, context: &impl StateroomContext) {
        context.send_message(client, message);
    }

    fn binary(&mut self, client: ClientId, message: &[u8], context: &impl StateroomContext) {
        context.send_binary(client, message);
    }
}

/// Sends what it hears to everyone, and says whose it is.
pub(crate) struct Broadcast;

impl SimpleStateroomService for Broadcast {
    fn new(_: &str, _: &impl StateroomContext) -> Self {
        Broadcast
    }

    fn message(&mut self, client: ClientId, message: &str, context: &impl StateroomContext) {
        let text = format!("{client} says {message}");
        context.send_message(MessageRecipient::Broadcast, &text);
    }
}

/// A server, and what ends it.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    _running: Box<dyn Any>,
}

/// Does something when it is dropped.
struct Stop<S: Fn()>(S);

impl<S: Fn()> Drop for Stop<S> {
    fn drop(&mut self) {
        (self.0)();
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Our own server.
pub(crate) fn serve<S: SimpleStateroomService + Send + 'static>() -> TestServer {
    let server = stateroom_server::Server::new().with_port(0).with_ip("127.0.0.1".into());
    let server = server.bind(SimpleServiceFactory::<S>::new()).unwrap();
    let (address, handle) = (server.local_addr(), server.handle());
    std::thread::spawn(|| server.run());
    TestServer { address, _running: Box::new(Stop(move || handle.shutdown())) }
}

/// Our own server behind one that answers a connection's first request itself, as those do that
/// first tell a client where to go.
pub(crate) fn serve_with_reception<S: SimpleStateroomService + Send + 'static>() -> TestServer {
    let server = serve::<S>();
    let behind = server.address;
    let runtime = runtime();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(client.read_u8().await.unwrap());
                }
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nrooms";
                client.write_all(answer).await.unwrap();
                let mut server = TcpStream::connect(behind).await.unwrap();
                // It ends when either side does.
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    TestServer { address, _running: Box::new((server, runtime)) }
}

/// What a server does wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fault {
    /// It leaves out every hundredth message.
    Drops,
    /// It sends every hundredth message after the one that follows.
    Reorders,
    /// It sends every hundredth message twice.
    Duplicates,
    /// It does nothing for 200 ms before the hundredth message.
    Stalls,
    /// It closes with 1013 at the hundredth message.
    Closes,
    /// It hangs up at the hundredth message.
    HangsUp,
    /// It reads no more after the fiftieth message.
    ReadsNoMore,
    /// It sends each message in three fragments with pings between, and wants them answered.
    Fragments,
}

/// A server that echoes, and has a fault.
pub(crate) fn serve_with(fault: Fault) -> TestServer {
    let runtime = runtime();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let socket = accept_async(stream).await.unwrap();
                // Whoever hangs up has seen enough.
                let _ = echo_badly(socket, fault).await;
            });
        }
    });
    TestServer { address, _running: Box::new(runtime) }
}

async fn echo_badly(
    mut socket: WebSocketStream<TcpStream>,
    fault: Fault,
) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    let mut held = None;
    let mut number = 0;
    let mut unanswered = 0_u32;
    while let Some(message) = socket.next().await {
        let message = message?;
        if let Message::Pong(payload) = &message {
            assert_eq!(&payload[..], b"there?");
            unanswered -= 1;
        }
        if !message.is_text() {
            continue;
        }
        assert!(unanswered < 1000, "pings are not answered");
        let special = number % 100 == 50;
        number += 1;
        match fault {
            Fault::Drops if special => continue,
            Fault::Reorders if special => {
                held = Some(message);
                continue;
            }
            Fault::Duplicates if special => socket.feed(message.clone()).await?,
            Fault::Stalls if number == 50 => tokio::time::sleep(Duration::from_millis(200)).await,
            Fault::ReadsNoMore if number == 50 => std::future::pending().await,
            Fault::Closes if special => {
                let code = CloseCode::Again;
                let reason = "too slow".into();
                return socket.close(Some(CloseFrame { code, reason })).await;
            }
            Fault::HangsUp if special => return Ok(()),
            Fault::Fragments => {
                unanswered += 1;
                send_in_fragments(&mut socket, &message.into_data()).await?;
                continue;
            }
            _ => {}
        }
        socket.feed(message).await?;
        if let Some(held) = held.take() {
            socket.feed(held).await?;
        }
        socket.flush().await?;
    }
    Ok(())
}

async fn send_in_fragments(
    socket: &mut WebSocketStream<TcpStream>,
    payload: &[u8],
) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    use tokio_tungstenite::tungstenite::protocol::frame::{
        Frame,
        coding::{Data, OpCode},
    };
    let (first, rest) = payload.split_at(10);
    let (second, third) = rest.split_at(10);
    let frame = |part: &[u8], opcode, last| {
        Message::Frame(Frame::message(part.to_vec(), OpCode::Data(opcode), last))
    };
    socket.send(frame(first, Data::Text, false)).await?;
    socket.send(Message::Ping(b"there?".to_vec().into())).await?;
    socket.send(frame(second, Data::Continue, false)).await?;
    socket.send(frame(third, Data::Continue, true)).await
}

impl TestServer {
    /// A short plan for this server.
    pub(crate) fn plan(&self) -> Plan {
        let mut plan = Plan::new(format!("ws://{}", self.address).parse().unwrap());
        plan.duration = Duration::from_millis(500);
        plan.warmup = Duration::from_millis(100);
        plan.patience = Duration::from_millis(500);
        plan
    }
}

/// Carries out a plan, and checks that progress is told.
pub(crate) fn try_out(plan: &Plan) -> Report {
    let mut phases = Vec::new();
    let report = run(plan, &Plain, |progress| phases.push(progress.phase)).unwrap();
    assert_eq!(phases.first(), Some(&Phase::Connecting));
    println!("{report}");
    report
}
