//! A proxy between clients and a server that comes and goes: it cuts connections, holds them up, and closes one side.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::broadcast,
    time::sleep,
};

/// What happens to connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mishap {
    /// They are cut, without a word.
    Cut,
    /// What the client says is not passed on any more; what the server says is.
    HalfClose,
    /// Nothing is passed on for so many milliseconds.
    HoldUp(u64),
}

/// See the [module](self). Whoever drops it drops its connections.
pub(crate) struct Proxy {
    pub(crate) address: String,
    upstream: Arc<Mutex<String>>,
    mishaps: broadcast::Sender<(Mishap, u32)>,
}

impl Proxy {
    pub(crate) async fn before(server: &str) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let upstream = Arc::new(Mutex::new(server.to_owned()));
        let (mishaps, _) = broadcast::channel(64);
        let (to, sender) = (upstream.clone(), mishaps.clone());
        tokio::spawn(async move {
            let mut number = 0;
            while let Ok((client, _)) = listener.accept().await {
                number += 1;
                let to = to.lock().unwrap().clone();
                tokio::spawn(connect(client, to, number, sender.subscribe(), sender.subscribe()));
            }
        });
        Proxy { address, upstream, mishaps }
    }

    /// Has those who come from now on get to another server.
    pub(crate) fn lead_to(&self, server: &str) {
        server.clone_into(&mut self.upstream.lock().unwrap());
    }

    /// Has something happen to one connection in so many.
    pub(crate) fn has(&self, mishap: Mishap, one_in: u32) {
        // Whether there are any is of no matter.
        let _ = self.mishaps.send((mishap, one_in));
    }
}

async fn connect(
    client: TcpStream,
    server: String,
    number: u32,
    up: broadcast::Receiver<(Mishap, u32)>,
    down: broadcast::Receiver<(Mishap, u32)>,
) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    let ((from_client, to_client), (from_server, to_server)) =
        (client.into_split(), server.into_split());
    tokio::select! {
        () = pass(from_client, to_server, number, up, true) => {}
        () = pass(from_server, to_client, number, down, false) => {}
    }
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    number: u32,
    mut mishaps: broadcast::Receiver<(Mishap, u32)>,
    is_up: bool,
) {
    // Small, so that frames and handshakes are cut anywhere.
    let mut bytes = [0; 700];
    loop {
        tokio::select! {
            read = from.read(&mut bytes) => match read {
                Ok(length) if length > 0 => {
                    if to.write_all(&bytes[..length]).await.is_err() {
                        return;
                    }
                }
                _ => return,
            },
            mishap = mishaps.recv() => match mishap {
                Ok((_, one_in)) if !number.is_multiple_of(one_in) => {}
                Ok((Mishap::Cut, _)) => return,
                Ok((Mishap::HalfClose, _)) if is_up => {
                    let _ = to.shutdown().await;
                    std::future::pending::<()>().await;
                }
                Ok((Mishap::HalfClose, _)) => {}
                Ok((Mishap::HoldUp(milliseconds), _)) => {
                    sleep(Duration::from_millis(milliseconds)).await;
                }
                Err(_) => return,
            },
        }
    }
}
