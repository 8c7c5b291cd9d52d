//! One WebSocket of a client, as a browser has it.

use crate::incoming::{Incoming, LOST};
use futures_util::{Sink as _, SinkExt as _, StreamExt as _};
use gloo_net::websocket::{Message, WebSocketError, futures::WebSocket};
use stateroom_room::session::{Frame, Request, SUBPROTOCOL, client::Message as Told};
use std::{future::poll_fn, pin::Pin};

/// An open WebSocket.
pub(crate) struct Socket(WebSocket);

impl Socket {
    /// Opens one. A browser does not tell why that failed: the end comes as what is next.
    ///
    /// # Errors
    /// With which code and why it was closed, as far as that can be told.
    pub(crate) async fn open(
        address: &str,
        session: &Request,
        token: Option<&str>,
    ) -> Result<Self, (u16, String)> {
        let mut offers = vec![SUBPROTOCOL.to_owned(), session.to_entry()];
        offers.extend(token.map(|token| format!("bearer.{token}")));
        let socket = WebSocket::open_with_protocols(address, &offers);
        let mut socket = socket.map_err(|error| (LOST, error.to_string()))?;
        // Once it is open, or has ended.
        let ready = poll_fn(|context| Pin::new(&mut socket).poll_ready(context)).await;
        ready.map_err(|error| (LOST, error.to_string()))?;
        Ok(Socket(socket))
    }

    /// Waits for what comes next.
    pub(crate) async fn next(&mut self) -> Incoming {
        match self.0.next().await {
            Some(Ok(Message::Text(text))) => Incoming::Message(Told::Text(text)),
            Some(Ok(Message::Bytes(bytes))) => Incoming::Message(Told::Binary(bytes)),
            Some(Err(WebSocketError::ConnectionClose(close))) => {
                Incoming::End(close.code, close.reason)
            }
            // How it ends comes next.
            Some(Err(_)) => Incoming::Sign,
            None => Incoming::End(LOST, "the connection has ended".to_owned()),
        }
    }

    /// Writes a message.
    pub(crate) async fn write(&mut self, frame: Frame<'_>) -> Result<(), WebSocketError> {
        self.0
            .feed(match frame {
                Frame::Text(text) => Message::Text(text.to_owned()),
                Frame::Binary(bytes) => Message::Bytes(bytes.to_vec()),
            })
            .await
    }

    /// Nothing waits: the browser writes.
    pub(crate) async fn flush(&mut self) -> Result<(), WebSocketError> {
        Ok(())
    }

    /// Closes it with a code, as far as that can still be done.
    pub(crate) async fn close(self, code: u16) {
        // Whoever is gone needs no close.
        let _ = self.0.close(Some(code), None);
    }
}
