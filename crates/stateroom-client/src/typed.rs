//! A client whose messages are JSON of types of the application.

use crate::{event::Event, room_client::RoomClient};
use futures_util::{Sink, Stream};
use serde::{Serialize, de::DeserializeOwned};
use stateroom_room::session::client::{Message, NotSent};
use std::{
    marker::PhantomData,
    ops::{Deref, DerefMut},
    pin::Pin,
    task::{Context, Poll, ready},
};

/// A client that hears `In` and says `Out`, as JSON texts: a `Stream` of [`Event`]s and a `Sink` of `Out`. All else is as
/// in the [`RoomClient`] that it is of.
#[derive(Debug)]
pub struct TypedClient<In, Out> {
    room: RoomClient,
    types: PhantomData<fn(Out) -> In>,
}

/// What the service has said is no such message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the service has said what is not of the type that is expected: {reason}")]
pub struct NotRead {
    /// What it has said.
    pub message: Message,
    /// What is wrong with it.
    pub reason: String,
}

/// A message was not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotSaid {
    /// By the client.
    #[error(transparent)]
    NotSent(#[from] NotSent),
    /// It is none that JSON can have.
    #[error("the message cannot be written as JSON: {0}")]
    NotWritten(#[from] serde_json::Error),
}

/// Reads a message that is JSON, such as one of those that [`Event::Unsettled`] gives back.
///
/// # Errors
/// When it is not of that type.
pub fn from_json<T: DeserializeOwned>(message: Message) -> Result<T, NotRead> {
    let read = match &message {
        Message::Text(text) => serde_json::from_str(text),
        Message::Binary(bytes) => serde_json::from_slice(bytes),
    };
    read.map_err(|error| NotRead { reason: error.to_string(), message })
}

impl RoomClient {
    /// The same client, with messages of these types.
    #[must_use]
    pub fn typed<In, Out>(self) -> TypedClient<In, Out> {
        TypedClient { room: self, types: PhantomData }
    }
}

impl<In: DeserializeOwned, Out: Serialize> TypedClient<In, Out> {
    /// Sends a message: now, or when there is a connection again.
    ///
    /// # Errors
    /// When it is not taken.
    pub fn say(&self, message: &Out) -> Result<(), NotSaid> {
        Ok(self.room.send(&serde_json::to_string(message)?)?)
    }

    /// Waits for what happens next. `None` once the client has ended and all was told.
    pub async fn next_event(&mut self) -> Option<Event<Result<In, NotRead>>> {
        Some(self.room.next_event().await?.map(from_json))
    }
}

impl<In: DeserializeOwned, Out> Stream for TypedClient<In, Out> {
    type Item = Event<Result<In, NotRead>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let event = ready!(Pin::new(&mut self.room).poll_next(context));
        Poll::Ready(event.map(|event| event.map(from_json)))
    }
}

impl<In, Out: Serialize> Sink<Out> for TypedClient<In, Out> {
    type Error = NotSaid;

    fn poll_ready(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), NotSaid>> {
        Pin::new(&mut self.room).poll_ready(context).map_err(NotSaid::from)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Out) -> Result<(), NotSaid> {
        let text = serde_json::to_string(&message)?;
        Ok(Pin::new(&mut self.room).start_send(Message::Text(text))?)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), NotSaid>> {
        Pin::new(&mut self.room).poll_flush(context).map_err(NotSaid::from)
    }

    fn poll_close(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), NotSaid>> {
        Pin::new(&mut self.room).poll_close(context).map_err(NotSaid::from)
    }
}

impl<In, Out> Deref for TypedClient<In, Out> {
    type Target = RoomClient;

    fn deref(&self) -> &RoomClient {
        &self.room
    }
}

impl<In, Out> DerefMut for TypedClient<In, Out> {
    fn deref_mut(&mut self) -> &mut RoomClient {
        &mut self.room
    }
}
