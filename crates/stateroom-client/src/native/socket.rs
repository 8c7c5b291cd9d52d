//! One WebSocket of a client, over TCP.

use crate::incoming::{Incoming, LOST};
use futures_util::{SinkExt as _, StreamExt as _};
use stateroom_room::session::{Frame, Request, SUBPROTOCOL, client::Message as Told};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest,
        http::{HeaderValue, StatusCode},
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

/// An open WebSocket.
pub(crate) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    /// Opens one.
    ///
    /// # Errors
    /// With which code and why it was closed, as far as that can be told.
    pub(crate) async fn open(
        address: &str,
        session: &Request,
        token: Option<&str>,
    ) -> Result<Self, (u16, String)> {
        let lost = |error: Error| match error {
            // It will not be another one the next time.
            Error::Http(response) if response.status() == StatusCode::UNAUTHORIZED => {
                (4201, "log in again".to_owned())
            }
            // It is full.
            Error::Http(response) if response.status() == StatusCode::SERVICE_UNAVAILABLE => {
                (4100, "the server has no place at this moment".to_owned())
            }
            error => (LOST, error.to_string()),
        };
        let mut request = address.into_client_request().map_err(lost)?;
        let mut offers = format!("{SUBPROTOCOL}, {}", session.to_entry());
        if let Some(token) = token {
            offers.push_str(&format!(", bearer.{token}"));
        }
        let offers = HeaderValue::try_from(offers)
            .map_err(|_| (4201, "the token cannot be sent".to_owned()))?;
        request.headers_mut().insert("sec-websocket-protocol", offers);
        // What the application has chosen stays.
        #[cfg(feature = "rustls")]
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (socket, _) = connect_async(request).await.map_err(lost)?;
        Ok(Socket(socket))
    }

    /// Waits for what comes next.
    pub(crate) async fn next(&mut self) -> Incoming {
        match self.0.next().await {
            Some(Ok(Message::Text(text))) => {
                Incoming::Message(Told::Text(text.as_str().to_owned()))
            }
            Some(Ok(Message::Binary(bytes))) => Incoming::Message(Told::Binary(bytes.into())),
            Some(Ok(Message::Close(frame))) => {
                let (code, reason) = frame
                    .map_or((1005, String::new()), |it| (it.code.into(), it.reason.to_string()));
                Incoming::End(code, reason)
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Incoming::Sign,
            Some(Err(error)) => Incoming::End(LOST, error.to_string()),
            None => Incoming::End(LOST, "the connection has ended".to_owned()),
        }
    }

    /// Writes a message, which waits for [`flush`](Self::flush).
    pub(crate) async fn write(&mut self, frame: Frame<'_>) -> Result<(), Error> {
        self.0
            .feed(match frame {
                Frame::Text(text) => Message::text(text),
                Frame::Binary(bytes) => Message::binary(bytes.to_vec()),
            })
            .await
    }

    pub(crate) async fn flush(&mut self) -> Result<(), Error> {
        self.0.flush().await
    }

    /// Closes it with a code, as far as that can still be done.
    pub(crate) async fn close(mut self, code: u16) {
        let frame = CloseFrame { code: CloseCode::from(code), reason: "".into() };
        // Whoever is gone needs no close.
        let _ = self.0.close(Some(frame)).await;
    }
}

#[cfg(all(test, feature = "rustls"))]
mod tests {
    use super::*;
    use stateroom_room::session::{Key, Life};
    use tokio::{io::AsyncWriteExt as _, net::TcpListener};

    #[tokio::test]
    async fn a_wss_address_is_spoken_to_in_tls() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("wss://{}/ws/lobby", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        });
        let life = Life { epoch: 0, incarnation: 0 };
        let key = Key::new([7; 16]);
        let request = Request { key, attempt: 1, life, have: 0, acked: 0, sent: 0 };
        let Err((code, reason)) = Socket::open(&address, &request, None).await else {
            panic!("it is no TLS")
        };
        assert_eq!(code, LOST);
        assert!(reason.contains("corrupt message"), "what came is no TLS: {reason}");
    }
}
