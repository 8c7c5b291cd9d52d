//! What a service can ask of the program that runs it.

use crate::{ClientId, MessageRecipient};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How a service sends messages and sets its timers.
///
/// A service is handed a context with every event. What it sends is delivered in the order sent,
/// after the event has been handled.
pub trait StateroomContext {
    /// Sends a text message, verbatim, to one client or to many.
    ///
    /// `recipient` is a [`MessageRecipient`] or a [`ClientId`](crate::ClientId). A message to a
    /// client that is not connected is dropped.
    fn send_message(&self, recipient: impl Into<MessageRecipient>, message: &str);

    /// Sends a binary message; otherwise as [`StateroomContext::send_message`].
    fn send_binary(&self, recipient: impl Into<MessageRecipient>, message: &[u8]);

    /// Asks for [`timer`](crate::SimpleStateroomService::timer) to be called once, `ms_delay`
    /// milliseconds from now; 0 cancels.
    ///
    /// A room has one such timer: setting it again replaces what was set before. For several, give them names: see
    /// [`schedule`](StateroomContext::schedule).
    fn set_timer(&self, ms_delay: u32);

    /// Asks for [`scheduled`](crate::SimpleStateroomService::scheduled) to be called once with this name, when `delay`
    /// has passed. To schedule a name again replaces what was scheduled by it before; other names, and
    /// [`set_timer`](StateroomContext::set_timer), go on by themselves.
    ///
    /// Each is heard as an event of its own, by time and then by name. They survive what the room's fields survive, new
    /// code too where the service is carried over. One that fails is tried again, and lets the others go first.
    ///
    /// # Panics
    /// When the name is empty, several lines, or has more than [`MAX_TIMER_NAME_BYTES`](crate::MAX_TIMER_NAME_BYTES), and when the room
    /// would have more than [`MAX_NAMED_TIMERS`](crate::MAX_NAMED_TIMERS).
    fn schedule(&self, name: &str, delay: Duration) {
        let _ = (name, delay);
        panic!("this context has no named timers; `TestContext` and those of rooms do");
    }

    /// Cancels what was scheduled by this name, if anything was.
    fn cancel(&self, name: &str) {
        let _ = name;
    }

    /// Closes a client: it is in the room no more, and gets what was sent to it before, then `code` and `reason`.
    /// The service hears [`disconnect`](crate::SimpleStateroomService::disconnect) as soon as the event is handled.
    /// In `connect` it is a refusal. A client that is not connected is left alone.
    ///
    /// `code` is 1000, or one of your own from 4301 to 4999: the client does not come back by itself. `reason` is at most
    /// [`MAX_CLOSE_REASON_BYTES`] long, and loses its end if it is longer.
    ///
    /// # Panics
    /// With any other code.
    fn close(&self, client: ClientId, code: u16, reason: &str) {
        let _ = (client, code, reason);
    }

    /// The clients that are connected, in the order of their ids: one that connects among them, one that disconnects
    /// not any more.
    fn clients(&self) -> Vec<ClientId> {
        Vec::new()
    }

    /// Who a connected client is, where the server has it log in: the `sub` of its token. `None` for one without a
    /// token.
    fn user(&self, client: ClientId) -> Option<String> {
        let _ = client;
        None
    }

    /// What the token of a connected client says of it by this name, such as a role, where the server is set to pass
    /// that on (`jwt_claims`): a text as it is, anything else as JSON.
    fn claim(&self, client: ClientId, name: &str) -> Option<String> {
        let _ = (client, name);
        None
    }

    /// What the settings of the service say by this name, in `[service.config]` of `stateroom.toml`: a text as it is,
    /// anything else as JSON.
    fn config(&self, name: &str) -> Option<String> {
        let _ = name;
        None
    }

    /// What time it is, since 1970-01-01 00:00 UTC. It stands still during an event, and never goes back.
    fn now(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}

/// The longest reason that a client can be closed with, in bytes (RFC 6455 §5.5).
pub const MAX_CLOSE_REASON_BYTES: usize = 123;

/// Whether a service may close a client with this code: 1000, or 4301 to 4999. The others mean something else to
/// clients, some of which would come back at once.
#[must_use]
pub fn is_close_code(code: u16) -> bool {
    code == 1000 || (4301..=4999).contains(&code)
}

/// Tells the author of a service that it can't close a client with this code, unless it [may](is_close_code): for whoever
/// implements [`StateroomContext::close`].
///
/// # Panics
/// With any other code.
#[track_caller]
pub fn check_close_code(code: u16) {
    assert!(is_close_code(code), "a service may close with 1000 and 4301 to 4999, not {code}");
}

impl<C: StateroomContext + ?Sized> StateroomContext for &C {
    fn send_message(&self, recipient: impl Into<MessageRecipient>, message: &str) {
        (**self).send_message(recipient, message);
    }

    fn send_binary(&self, recipient: impl Into<MessageRecipient>, message: &[u8]) {
        (**self).send_binary(recipient, message);
    }

    fn set_timer(&self, ms_delay: u32) {
        (**self).set_timer(ms_delay);
    }

    fn schedule(&self, name: &str, delay: Duration) {
        (**self).schedule(name, delay);
    }

    fn cancel(&self, name: &str) {
        (**self).cancel(name);
    }

    fn close(&self, client: ClientId, code: u16, reason: &str) {
        (**self).close(client, code, reason);
    }

    fn clients(&self) -> Vec<ClientId> {
        (**self).clients()
    }

    fn user(&self, client: ClientId) -> Option<String> {
        (**self).user(client)
    }

    fn claim(&self, client: ClientId, name: &str) -> Option<String> {
        (**self).claim(client, name)
    }

    fn config(&self, name: &str) -> Option<String> {
        (**self).config(name)
    }

    fn now(&self) -> Duration {
        (**self).now()
    }
}
