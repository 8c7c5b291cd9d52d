//! A client, as its application has it.

use crate::{
    address::with_params,
    driver::{Driver, Shared},
    event::Event,
    options::Options,
    platform::spawn,
};
use futures_util::{Sink, Stream};
use http::Uri;
use stateroom_room::session::{
    Frame,
    client::{Message, NotSent, Status},
};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::sync::{
    futures::OwnedNotified,
    mpsc::{Receiver, channel},
};

/// How many events may wait to be taken; past it the client reads no more.
const EVENTS: usize = 256;

/// A client of one room. When it is dropped, it is closed.
#[derive(Debug)]
pub struct RoomClient {
    shared: Arc<Shared>,
    events: Receiver<Event>,
    /// What a sink waits for that has no place.
    changed: Option<Pin<Box<OwnedNotified>>>,
}

/// This is no address of a room.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{address:?} is no address of a room, such as ws://localhost:8080/ws/lobby")]
pub struct BadAddress {
    /// What it is instead.
    pub address: String,
}

/// The session has ended before all that was sent was known to be durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the session has ended, and it is not known whether all that was sent was heard")]
pub struct Unsettled;

impl RoomClient {
    /// Connects to a room. Returns at once; what follows is told by [`next_event`](Self::next_event).
    ///
    /// To be called within a tokio runtime; in a browser, anywhere.
    ///
    /// # Errors
    /// When `address` is none.
    pub fn connect(address: &str, options: Options) -> Result<Self, BadAddress> {
        let uri: Option<Uri> = address.parse().ok();
        let is_room =
            |uri: &Uri| matches!(uri.scheme_str(), Some("ws" | "wss")) && uri.host().is_some();
        if !uri.as_ref().is_some_and(is_room) {
            return Err(BadAddress { address: address.to_owned() });
        }
        let (sender, events) = channel(EVENTS);
        let shared = Arc::new(Shared::new(&options));
        let address = with_params(address, &options.params);
        spawn(Driver::new(shared.clone(), sender, address, options).run());
        Ok(RoomClient { shared, events, changed: None })
    }

    /// Sends a text message: now, or when there is a connection again.
    ///
    /// # Errors
    /// When it is not taken: too much waits to be durable, it is too large, or the client was closed.
    pub fn send(&self, text: &str) -> Result<(), NotSent> {
        self.shared.act(|client| client.send(Frame::Text(text)))
    }

    /// Sends a binary message. As [`send`](Self::send).
    ///
    /// # Errors
    /// The same.
    pub fn send_binary(&self, bytes: &[u8]) -> Result<(), NotSent> {
        self.shared.act(|client| client.send(Frame::Binary(bytes)))
    }

    /// Sends a message of either kind. As [`send`](Self::send).
    ///
    /// # Errors
    /// The same.
    pub fn send_message(&self, message: &Message) -> Result<(), NotSent> {
        self.shared.act(|client| client.send(message.frame()))
    }

    /// Waits for what happens next. `None` once the client has ended and all was told.
    pub async fn next_event(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// Where the client is.
    #[must_use]
    pub fn status(&self) -> Status {
        self.shared.look(|client| client.status())
    }

    /// How many bytes were sent that are not known to be durable.
    #[must_use]
    pub fn unsettled_bytes(&self) -> usize {
        self.shared.look(|client| client.unsettled_bytes())
    }

    /// Waits until all that was sent before is durable. Events are to be taken meanwhile.
    ///
    /// # Errors
    /// When the session ends before.
    pub fn settled(&self) -> impl Future<Output = Result<(), Unsettled>> + Send + use<> {
        let (given_up, sent) = self.shared.act(|client| {
            client.flush();
            (client.given_up(), client.sent())
        });
        let shared = self.shared.clone();
        async move {
            loop {
                let changed = shared.changed();
                match shared.look(|client| (client.given_up(), client.settled())) {
                    (now, _) if now != given_up => return Err(Unsettled),
                    (_, settled) if settled >= sent => return Ok(()),
                    _ => changed.await,
                }
            }
        }
    }

    /// Looks at once whether the connection lives, or connects: to be called when the device is online again.
    pub fn wake(&self) {
        self.shared.wake();
    }

    /// Ends the session, when all that was sent is durable, or after two seconds.
    pub fn close(&self) {
        self.shared.close();
    }
}

impl Stream for RoomClient {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.events.poll_recv(context)
    }
}

/// Takes messages as [`send_message`](RoomClient::send_message) does, but waits where that refuses since too much waits.
/// It is flushed at once: [`settled`](RoomClient::settled) tells what is durable.
impl Sink<Message> for RoomClient {
    type Error = NotSent;

    fn poll_ready(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), NotSent>> {
        loop {
            // It is listened to before it is looked.
            let changed = self.changed.take().unwrap_or_else(|| self.shared.changed());
            if self.shared.look(|client| client.has_place()) {
                return Poll::Ready(Ok(()));
            }
            let changed = self.changed.insert(changed);
            ready!(changed.as_mut().poll(context));
            self.changed = None;
        }
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), NotSent> {
        self.shared.act(|client| client.send_at_last(message.frame()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), NotSent>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), NotSent>> {
        self.close();
        Poll::Ready(Ok(()))
    }
}

impl Drop for RoomClient {
    fn drop(&mut self) {
        self.shared.close();
    }
}
