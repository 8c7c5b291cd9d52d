//! Takes leave of a client: what waits, a close frame, and time for it to be read.
//!
//! A socket that is dropped while the client still sends is reset, and the client may then never
//! see the close frame; so the server closes its side and reads on until the client has closed
//! too, for a bounded time.

use crate::{
    connection::poll_write_queue,
    rooms::Seat,
    websocket::{CloseCode, encode_close},
};
use bytes::Bytes;
use std::{collections::VecDeque, future::poll_fn, io, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// How long a client has to read what waits for it, and then to close its side.
const PATIENCE: Duration = Duration::from_secs(2);

/// A client to take leave of. Its seat is given back when all is said.
pub(crate) struct Farewell {
    pub(crate) stream: TcpStream,
    /// What waits to be written before the close frame.
    pub(crate) queue: VecDeque<Bytes>,
    pub(crate) code: CloseCode,
    pub(crate) reason: &'static str,
    pub(crate) seat: Seat,
}

impl Farewell {
    /// Says it. Whether the client heard is not known, nor waited for past a few seconds.
    pub(crate) async fn say(mut self) {
        // Errors and time-outs end the farewell early: the client has gone without it.
        if let Ok(Ok(())) = timeout(PATIENCE, self.write()).await {
            let _ = timeout(PATIENCE, self.wait_for_end()).await;
        }
        drop(self.seat);
    }

    async fn write(&mut self) -> io::Result<()> {
        self.queue.push_back(Bytes::from(encode_close(self.code, self.reason)));
        poll_fn(|context| poll_write_queue(&mut self.stream, &mut self.queue, context)).await?;
        self.stream.shutdown().await
    }

    async fn wait_for_end(&mut self) -> io::Result<()> {
        let mut ignored = [0; 4096];
        while self.stream.read(&mut ignored).await? > 0 {}
        Ok(())
    }
}
