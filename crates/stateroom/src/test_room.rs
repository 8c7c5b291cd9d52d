//! A typed service with a context that records, so that it can be unit-tested without any server.

use crate::{
    ClientId, Closed, LeaveReason, MessageRecipient, Request, Response, SimpleStateroomService,
    TestContext, TypedService,
};
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;

/// A room of a [`TypedService`] in a test: it hears what the test says, and records what it sends. What it hears goes
/// through JSON, as with a server.
///
/// Its state is `service`, and its clock that of `context`, which also says who is there and who has logged in:
/// clients that [`connect`](TestRoom::connect) are there until they disconnect or are closed.
#[derive(Debug)]
pub struct TestRoom<S> {
    /// The service.
    pub service: S,
    /// What records.
    pub context: TestContext,
    closed: Vec<Closed>,
}

impl<S: TypedService> TestRoom<S> {
    /// Starts a room.
    #[must_use]
    pub fn new(room_id: &str) -> Self {
        Self::with(TestContext::new(), room_id)
    }

    /// Starts a room with what a context has been told already, such as the settings of the service.
    #[must_use]
    pub fn with(context: TestContext, room_id: &str) -> Self {
        let service = SimpleStateroomService::new(room_id, &context);
        TestRoom { service, context, closed: Vec::new() }
    }

    /// A client connects that has not logged in.
    pub fn connect(&mut self, client: ClientId) {
        self.connect_as(client, None);
    }

    /// A client connects that has logged in as `user`, or not at all.
    pub fn connect_as(&mut self, client: ClientId, user: Option<&str>) {
        self.context.connects(client, user);
        SimpleStateroomService::connect(&mut self.service, client, &self.context);
        self.let_go();
    }

    /// A client disconnects: it has closed by itself.
    pub fn disconnect(&mut self, client: ClientId) {
        self.leave(client, LeaveReason::Closed);
    }

    /// A client is there no more, for this reason.
    pub fn leave(&mut self, client: ClientId, reason: LeaveReason) {
        self.context.disconnects(client);
        SimpleStateroomService::left(&mut self.service, client, reason, &self.context);
        self.let_go();
    }

    /// Somebody asks something by HTTP; tells the answer.
    pub fn request(&mut self, request: &Request) -> Response {
        let response = SimpleStateroomService::request(&mut self.service, request, &self.context);
        self.let_go();
        response
    }

    /// A client sends a message.
    ///
    /// # Panics
    /// When it can't be told as JSON.
    #[track_caller]
    pub fn message(&mut self, from: ClientId, message: &S::In)
    where
        S::In: Serialize,
    {
        match serde_json::to_string(message) {
            Ok(json) => self.text(from, &json),
            Err(error) => panic!("the message can't be told as JSON: {error}"),
        }
    }

    /// A client sends a text, whatever it is.
    pub fn text(&mut self, from: ClientId, text: &str) {
        SimpleStateroomService::message(&mut self.service, from, text, &self.context);
        self.let_go();
    }

    /// Some time passes, and the service hears each of its timers when it is due. As [`TestContext::tick`].
    #[track_caller]
    pub fn tick(&mut self, time: Duration) {
        self.context.tick(time, &mut self.service);
        self.let_go();
    }

    /// What was sent since the last call, in order.
    ///
    /// # Panics
    /// When something else was sent, such as why a text was no message: take that from `context`.
    #[track_caller]
    pub fn take(&self) -> Vec<(MessageRecipient, S::Out)>
    where
        S::Out: DeserializeOwned,
    {
        let mut taken = Vec::new();
        for sent in self.context.take() {
            let text = sent.message.text().unwrap_or_default();
            match serde_json::from_str(text) {
                Ok(message) => taken.push((sent.recipient, message)),
                Err(error) => panic!("what was sent is no message: {error}: {sent:?}"),
            }
        }
        taken
    }

    /// Whom the service has closed since the last call, in order. It has heard that they disconnected.
    pub fn take_closed(&mut self) -> Vec<Closed> {
        std::mem::take(&mut self.closed)
    }

    /// Lets the service hear that those have gone whom it closes.
    fn let_go(&mut self) {
        loop {
            let closed = self.context.take_closed();
            if closed.is_empty() {
                return;
            }
            for gone in closed {
                let (client, reason) = (gone.client, LeaveReason::Kicked);
                SimpleStateroomService::left(&mut self.service, client, reason, &self.context);
                self.closed.push(gone);
            }
        }
    }
}
