//! What a typed service is handed with every event: its room, which it sends through.

use crate::{ClientId, MessageRecipient, StateroomContext};
use serde::Serialize;
use std::{marker::PhantomData, time::Duration};

/// A room as a [`TypedService`](crate::TypedService) sees it: who is there, what they are sent, and when something is due.
///
/// It is a [`StateroomContext`] that sends what the service's type [`Out`](crate::TypedService::Out) says, as JSON.
pub struct Room<'a, S> {
    context: &'a dyn Context,
    service: PhantomData<fn(S)>,
}

impl<'a, S> Room<'a, S> {
    pub(crate) fn new(context: &'a impl StateroomContext) -> Self {
        Room { context, service: PhantomData }
    }

    /// Sends a message, as JSON.
    #[track_caller]
    pub(crate) fn send_json(&self, recipient: MessageRecipient, message: &impl Serialize) {
        match serde_json::to_string(message) {
            Ok(json) => self.context.send(recipient, &json),
            Err(error) => panic!("a message can't be told as JSON: {error}"),
        }
    }

    /// As [`StateroomContext::close`].
    ///
    /// # Panics
    /// With a code that is neither 1000 nor from 4301 to 4999.
    #[track_caller]
    pub fn close(&self, client: ClientId, code: u16, reason: &str) {
        self.context.close(client, code, reason);
    }

    /// The clients that are connected, in the order of their ids.
    #[must_use]
    pub fn clients(&self) -> Vec<ClientId> {
        self.context.clients()
    }

    /// Who a connected client is, where the server has it log in. As [`StateroomContext::user`].
    #[must_use]
    pub fn user(&self, client: ClientId) -> Option<String> {
        self.context.user(client)
    }

    /// What the token of a connected client says of it by this name. As [`StateroomContext::claim`].
    #[must_use]
    pub fn claim(&self, client: ClientId, name: &str) -> Option<String> {
        self.context.claim(client, name)
    }

    /// What the settings of the service say by this name. As [`StateroomContext::config`].
    #[must_use]
    pub fn config(&self, name: &str) -> Option<String> {
        self.context.config(name)
    }

    /// What time it is, since 1970-01-01 00:00 UTC. It stands still during an event, and never goes back.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.context.now()
    }

    /// Asks for [`scheduled`](crate::TypedService::scheduled) to be called with this name when `delay` has passed. As
    /// [`StateroomContext::schedule`].
    ///
    /// # Panics
    /// With a name that is empty or too long, and when there would be too many.
    pub fn schedule(&self, name: &str, delay: Duration) {
        self.context.schedule(name, delay);
    }

    /// Cancels what was scheduled by this name, if anything was.
    pub fn cancel(&self, name: &str) {
        self.context.cancel(name);
    }
}

/// A [`StateroomContext`] of whatever type.
trait Context {
    fn send(&self, recipient: MessageRecipient, message: &str);
    fn close(&self, client: ClientId, code: u16, reason: &str);
    fn clients(&self) -> Vec<ClientId>;
    fn user(&self, client: ClientId) -> Option<String>;
    fn claim(&self, client: ClientId, name: &str) -> Option<String>;
    fn config(&self, name: &str) -> Option<String>;
    fn now(&self) -> Duration;
    fn schedule(&self, name: &str, delay: Duration);
    fn cancel(&self, name: &str);
}

impl<C: StateroomContext> Context for C {
    fn send(&self, recipient: MessageRecipient, message: &str) {
        self.send_message(recipient, message);
    }

    fn close(&self, client: ClientId, code: u16, reason: &str) {
        StateroomContext::close(self, client, code, reason);
    }

    fn clients(&self) -> Vec<ClientId> {
        StateroomContext::clients(self)
    }

    fn user(&self, client: ClientId) -> Option<String> {
        StateroomContext::user(self, client)
    }

    fn claim(&self, client: ClientId, name: &str) -> Option<String> {
        StateroomContext::claim(self, client, name)
    }

    fn config(&self, name: &str) -> Option<String> {
        StateroomContext::config(self, name)
    }

    fn now(&self) -> Duration {
        StateroomContext::now(self)
    }

    fn schedule(&self, name: &str, delay: Duration) {
        StateroomContext::schedule(self, name, delay);
    }

    fn cancel(&self, name: &str) {
        StateroomContext::cancel(self, name);
    }
}
