//! What a service can ask of the program that runs it.

use crate::MessageRecipient;

/// How a service sends messages and sets its timer.
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
    /// A room has one timer: setting it again replaces what was set before. Several timers are
    /// built on it by keeping a queue of deadlines in the service and setting the timer to its
    /// head.
    fn set_timer(&self, ms_delay: u32);
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
}
