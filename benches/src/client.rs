//! A WebSocket client that costs next to nothing, so that ten thousand fit beside the server.

use anyhow::ensure;
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};

/// One client in one room.
pub struct Client(TcpStream);

impl Client {
    /// Joins the room `room_id`; for many that come and go, from one of several of this machine's
    /// addresses: each has 28,000 ports, and each of them is free again after a minute.
    ///
    /// # Errors
    /// When the server does not let it in.
    pub async fn join(server: SocketAddr, room_id: &str, address: u8) -> anyhow::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(([127, 0, 0, 1 + address % 64], 0).into())?;
        let mut stream = socket.connect(server).await?;
        stream.set_nodelay(true)?;
        let request = format!(
            "GET /ws/{room_id} HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\n\
             upgrade: websocket\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await?);
        }
        ensure!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
        Ok(Client(stream))
    }

    /// Sends a text of at most 125 bytes.
    ///
    /// # Errors
    /// When the connection has ended.
    pub async fn send(&mut self, text: &str) -> anyhow::Result<()> {
        ensure!(text.len() <= 125, "longer texts are not needed here");
        // The mask is zero, which leaves the text as it is.
        let mut frame = vec![0x81, 0x80 | text.len() as u8, 0, 0, 0, 0];
        frame.extend_from_slice(text.as_bytes());
        Ok(self.0.write_all(&frame).await?)
    }

    /// The next text. Pings are passed over: nothing here runs for so long that it matters.
    ///
    /// # Errors
    /// When the server closes, or sends what this client does not read.
    pub async fn text(&mut self) -> anyhow::Result<String> {
        loop {
            let mut header = [0; 2];
            self.0.read_exact(&mut header).await?;
            let [first, length] = header;
            ensure!(length <= 125, "longer texts are not needed here");
            let mut payload = vec![0; length.into()];
            self.0.read_exact(&mut payload).await?;
            match first {
                0x81 => return Ok(String::from_utf8(payload)?),
                0x89 => {}
                _ => anyhow::bail!("closed: {}", String::from_utf8_lossy(&payload)),
            }
        }
    }
}
