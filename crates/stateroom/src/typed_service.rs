//! Services whose messages are types: what comes is read as JSON, and what goes is told as JSON.

use crate::{
    ClientId, LeaveReason, MessageRecipient, Request, Response, Room, SimpleStateroomService,
    StateroomContext,
};
use serde::{Serialize, de::DeserializeOwned};

/// A realtime room whose messages are types: a client sends JSON that is read as [`In`](TypedService::In), and gets
/// [`Out`](TypedService::Out) as JSON. It is a [`SimpleStateroomService`] by that, wherever one is wanted.
///
/// Only the two types and [`new`](TypedService::new) must be written. All else is as with the methods of the same names
/// there.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use stateroom::*;
///
/// #[derive(Default)]
/// struct Poll {
///     votes: [u32; 2],
/// }
///
/// #[derive(Serialize, Deserialize)]
/// enum FromClient {
///     Vote(usize),
/// }
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize)]
/// enum ToClient {
///     Votes([u32; 2]),
/// }
///
/// impl TypedService for Poll {
///     type In = FromClient;
///     type Out = ToClient;
///
///     fn new(_room_id: &str, _room: &Room<Self>) -> Self {
///         Poll::default()
///     }
///
///     fn message(&mut self, _from: ClientId, said: FromClient, room: &Room<Self>) {
///         let FromClient::Vote(side) = said;
///         if let Some(votes) = self.votes.get_mut(side) {
///             *votes += 1;
///         }
///         room.broadcast(&ToClient::Votes(self.votes));
///     }
/// }
///
/// let mut poll = TestRoom::<Poll>::new("my-room");
/// poll.connect(ClientId(1));
/// poll.message(ClientId(1), &FromClient::Vote(1));
/// assert_eq!(poll.take(), [(MessageRecipient::Broadcast, ToClient::Votes([0, 1]))]);
/// ```
///
/// # What is no message
///
/// Text that can't be read as `In`, and bytes, never reach the service. Only their sender hears of it, as
/// `{"error":"unknown variant `Veto`, expected `Vote` at line 1 column 7"}`, and nothing else happens. So no
/// message of yours should look like that.
#[allow(unused_variables)]
pub trait TypedService: Sized {
    /// What clients send.
    type In: DeserializeOwned;
    /// What they get.
    type Out: Serialize;

    /// Called when the room starts, before any client has connected.
    fn new(room_id: &str, room: &Room<Self>) -> Self;

    /// Called each time a client connects.
    fn connect(&mut self, client: ClientId, room: &Room<Self>) {}

    /// Called each time a client's connection ends, in whatever way it ended. The client can no longer be sent to.
    fn disconnect(&mut self, client: ClientId, room: &Room<Self>) {}

    /// Called instead of [`disconnect`](TypedService::disconnect), which it calls unless it is written otherwise: for those
    /// who want to know why a client has left.
    fn left(&mut self, client: ClientId, reason: LeaveReason, room: &Room<Self>) {
        self.disconnect(client, room);
    }

    /// Called for each message from a client.
    fn message(&mut self, from: ClientId, said: Self::In, room: &Room<Self>) {}

    /// Called once when the time given to [`Room::schedule`] with this name has passed.
    fn scheduled(&mut self, name: &str, room: &Room<Self>) {}

    /// Called for each HTTP request to the room. As [`SimpleStateroomService::request`].
    fn request(&mut self, request: &Request, room: &Room<Self>) -> Response {
        Response::new(404)
    }

    /// Called once in new code, right after it took the room over from the code that ran before. As
    /// [`SimpleStateroomService::taken_over`].
    fn taken_over(&mut self, room: &Room<Self>) {}
}

#[diagnostic::do_not_recommend]
impl<S: TypedService> SimpleStateroomService for S {
    fn new(room_id: &str, context: &impl StateroomContext) -> Self {
        TypedService::new(room_id, &Room::new(context))
    }

    fn connect(&mut self, client: ClientId, context: &impl StateroomContext) {
        TypedService::connect(self, client, &Room::new(context));
    }

    fn disconnect(&mut self, client: ClientId, context: &impl StateroomContext) {
        TypedService::disconnect(self, client, &Room::new(context));
    }

    fn left(&mut self, client: ClientId, reason: LeaveReason, context: &impl StateroomContext) {
        TypedService::left(self, client, reason, &Room::new(context));
    }

    fn request(&mut self, request: &Request, context: &impl StateroomContext) -> Response {
        TypedService::request(self, request, &Room::new(context))
    }

    fn message(&mut self, client: ClientId, message: &str, context: &impl StateroomContext) {
        let room = Room::new(context);
        match serde_json::from_str(message) {
            Ok(said) => TypedService::message(self, client, said, &room),
            Err(error) => refuse(client, error.to_string(), &room),
        }
    }

    fn binary(&mut self, client: ClientId, _: &[u8], context: &impl StateroomContext) {
        let error = "this room takes text, which is JSON, and not bytes".to_owned();
        refuse(client, error, &Room::<S>::new(context));
    }

    fn scheduled(&mut self, name: &str, context: &impl StateroomContext) {
        TypedService::scheduled(self, name, &Room::new(context));
    }

    fn taken_over(&mut self, context: &impl StateroomContext) {
        TypedService::taken_over(self, &Room::new(context));
    }
}

impl<S: TypedService> Room<'_, S> {
    /// Sends a message to one client or to many: a [`ClientId`] or a [`MessageRecipient`]. One to a client that is not
    /// connected is dropped.
    ///
    /// # Panics
    /// When JSON can't hold it: a map whose keys are neither text nor numbers.
    #[track_caller]
    pub fn send(&self, recipient: impl Into<MessageRecipient>, message: &S::Out) {
        self.send_json(recipient.into(), message);
    }

    /// Sends a message to everybody.
    ///
    /// # Panics
    /// As [`send`](Room::send).
    #[track_caller]
    pub fn broadcast(&self, message: &S::Out) {
        self.send(MessageRecipient::Broadcast, message);
    }
}

/// What a client gets that has sent what is no message.
#[derive(Serialize)]
struct NoMessage {
    error: String,
}

fn refuse<S>(client: ClientId, error: String, room: &Room<S>) {
    room.send_json(client.into(), &NoMessage { error });
}
