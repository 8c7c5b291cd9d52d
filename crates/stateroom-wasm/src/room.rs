//! The one room that a module is: holds the service between events and hands it each event.

use stateroom::{ClientId, SimpleStateroomService, StateroomContext};
use std::cell::RefCell;

/// The place of a module's service: empty until the room starts.
#[derive(Debug)]
pub struct Room<S> {
    service: RefCell<Option<S>>,
}

impl<S: SimpleStateroomService> Room<S> {
    /// A room that has not started.
    #[must_use]
    pub const fn not_started() -> Self {
        Room { service: RefCell::new(None) }
    }

    /// Starts the room, afresh if it had started before.
    ///
    /// # Panics
    /// When the id is not UTF-8, and in the middle of an event.
    pub fn start(&self, room_id: &[u8], context: &impl StateroomContext) {
        let room_id = utf8(room_id, "a room id");
        let service = S::new(room_id, context);
        match self.service.try_borrow_mut() {
            Ok(mut place) => *place = Some(service),
            Err(_) => panic!("the host started the room again in the middle of an event"),
        }
    }

    /// See [`SimpleStateroomService::connect`]; panics as the other events do when the room has not
    /// started, or when the host sends an event in the middle of another.
    pub fn connect(&self, client: ClientId, context: &impl StateroomContext) {
        self.handle("connect", |service| service.connect(client, context));
    }

    /// See [`SimpleStateroomService::disconnect`].
    pub fn disconnect(&self, client: ClientId, context: &impl StateroomContext) {
        self.handle("disconnect", |service| service.disconnect(client, context));
    }

    /// See [`SimpleStateroomService::message`].
    ///
    /// # Panics
    /// Also when the message is not UTF-8.
    pub fn message(&self, client: ClientId, message: &[u8], context: &impl StateroomContext) {
        let message = utf8(message, "a text message");
        self.handle("message", |service| service.message(client, message, context));
    }

    /// See [`SimpleStateroomService::binary`].
    pub fn binary(&self, client: ClientId, message: &[u8], context: &impl StateroomContext) {
        self.handle("binary", |service| service.binary(client, message, context));
    }

    /// See [`SimpleStateroomService::timer`].
    pub fn timer(&self, context: &impl StateroomContext) {
        self.handle("timer", |service| service.timer(context));
    }

    fn handle(&self, event: &str, handler: impl FnOnce(&mut S)) {
        match self.service.try_borrow_mut().as_deref_mut() {
            Ok(Some(service)) => handler(service),
            Ok(None) => panic!("the host called `{event}` before `initialize`"),
            Err(_) => panic!("the host called `{event}` in the middle of another event"),
        }
    }
}

/// The text that the host passed as `bytes`.
///
/// # Panics
/// When it is not UTF-8, which is the host's mistake.
fn utf8<'a>(bytes: &'a [u8], what: &str) -> &'a str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => panic!("the host passed {what} that is not UTF-8: {error}"),
    }
}
