//! Stands between a log and its database, and cuts connections, or changes what is said at their beginning.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What it does to a connection.
#[derive(Copy, Clone)]
pub(crate) enum Way {
    /// Cuts it after so many bytes at least, and twice as many at most, have passed.
    CutAfter(u64),
    /// Drops the setting by which a connection is known again.
    DropMark,
}

pub(crate) struct Proxy {
    pub(crate) port: u16,
    pub(crate) cuts: Arc<AtomicU64>,
}

impl Proxy {
    pub(crate) async fn start(database: u16, way: Way) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let cuts = Arc::new(AtomicU64::new(0));
        let counted = cuts.clone();
        tokio::spawn(async move {
            let mut random = fastrand::Rng::with_seed(7);
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(("127.0.0.1", database)).await else {
                    continue;
                };
                let (cuts, random) = (counted.clone(), random.fork());
                tokio::spawn(async move {
                    if carry(client, server, way, random).await.is_none() {
                        cuts.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        Proxy { port, cuts }
    }
}

/// `None` when it has cut the connection itself.
async fn carry(
    mut client: TcpStream,
    mut server: TcpStream,
    way: Way,
    mut random: fastrand::Rng,
) -> Option<()> {
    let (mut up, mut down) = (vec![0; 8 << 10], vec![0; 8 << 10]);
    let mut left = match way {
        Way::CutAfter(bytes) => random.u64(bytes..2 * bytes),
        Way::DropMark => u64::MAX,
    };
    let mut is_first = true;
    loop {
        let (count, to, bytes) = tokio::select! {
            count = client.read(&mut up) => (count, &mut server, &mut up),
            count = server.read(&mut down) => (count, &mut client, &mut down),
        };
        let Some(count @ 1..) = count.ok() else { return Some(()) };
        let bytes = &mut bytes[..count];
        if is_first && let Way::DropMark = way {
            let mark = b"stateroom.link";
            let place = bytes.windows(mark.len()).position(|it| it == mark).expect("it is set");
            bytes[place..place + mark.len()].copy_from_slice(b"stateroom.lost");
        }
        is_first = false;
        let passed = left.min(count as u64) as usize;
        left -= passed as u64;
        if to.write_all(&bytes[..passed]).await.is_err() {
            return Some(());
        }
        if left == 0 {
            return None;
        }
    }
}
