//! What the application tells its client.

use super::{
    action::{Action, Message},
    machine::{SessionClient, Status},
};
use crate::{
    session::{frame::Frame, message::Up},
    timestamp::Timestamp,
};

/// A message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// Too much waits to be durable.
    #[error("{bytes} bytes wait to be durable: wait for them before sending more")]
    Full {
        /// How much.
        bytes: usize,
    },
    /// The server would not take it.
    #[error("a message of {length} bytes; the server takes at most {largest}")]
    TooLarge {
        /// How many bytes it has.
        length: usize,
        /// How many it may have.
        largest: u64,
    },
    /// The client was closed.
    #[error("the client was closed")]
    Closed,
}

impl SessionClient {
    /// Sends a message: now, or when there is a socket again.
    ///
    /// # Errors
    /// When it is not taken; nothing happens then.
    pub fn send(&mut self, message: Frame<'_>) -> Result<(), NotSent> {
        self.check(message)?;
        let bytes = self.queue.bytes();
        if bytes > 0 && bytes.saturating_add(message.len()) > self.settings.queue_bytes {
            return Err(NotSent::Full { bytes });
        }
        self.send_at_last(message)
    }

    /// Whether a message may be sent [at last](Self::send_at_last), or is refused for good.
    #[must_use]
    pub fn has_place(&self) -> bool {
        self.queue.bytes() < self.settings.queue_bytes.max(1)
    }

    /// Sends a message for which somebody has waited until there was [a place](Self::has_place), though it may be larger
    /// than that.
    ///
    /// # Errors
    /// When it is not taken; nothing happens then.
    pub fn send_at_last(&mut self, message: Frame<'_>) -> Result<(), NotSent> {
        self.check(message)?;
        self.queue.push(message.into());
        self.write_queue();
        Ok(())
    }

    /// Whether a message may be sent at all.
    fn check(&self, message: Frame<'_>) -> Result<(), NotSent> {
        if matches!(self.status, Status::Closing | Status::Closed) {
            return Err(NotSent::Closed);
        }
        let length = Up::Data(message).encode().frame().len();
        if length as u64 > self.largest {
            return Err(NotSent::TooLarge { length, largest: self.largest });
        }
        Ok(())
    }

    /// Asks to be told as soon as all that was sent is durable.
    pub fn flush(&mut self) {
        if self.is_welcomed && self.queue.bytes() > 0 {
            self.write(&Up::Flush);
        }
    }

    /// Ends the session, when all that was sent is durable, or after a while.
    pub fn close(&mut self, now: Timestamp) {
        match self.status {
            Status::Closing | Status::Closed => {}
            Status::Live if self.queue.total() > self.queue.settled => {
                self.status = Status::Closing;
                self.closed_at = Some(now.after(self.settings.closing));
                self.write(&Up::Flush);
            }
            Status::Connecting | Status::Live | Status::Away => self.end(1000, ""),
        }
    }

    /// Notes that the device is online again, or the page is looked at: connects at once, or finds out whether the
    /// socket lives.
    pub fn wake(&mut self, now: Timestamp) {
        if self.is_welcomed {
            self.lost_at.get_or_insert(now.after(self.settings.probe));
            self.write(&Up::Probe);
        } else if self.has_socket {
            // It may say nothing yet, and the welcome is the answer.
            self.lost_at.get_or_insert(now.after(self.settings.probe));
        } else if let Some(at) = &mut self.dial_at {
            *at = now.min(*at);
        }
    }

    /// Ends the client.
    pub(super) fn end(&mut self, code: u16, reason: &str) {
        let attempt = self.attempt;
        self.given_up += 1;
        if std::mem::take(&mut self.has_socket) {
            self.actions.push_back(Action::Close { attempt });
        }
        (self.is_welcomed, self.status) = (false, Status::Closed);
        (self.dial_at, self.ack_at, self.lost_at, self.closed_at) = (None, None, None, None);
        let messages = self.queue.give_up();
        self.unsettled(messages);
        self.actions.push_back(Action::Closed { code, reason: reason.to_owned() });
    }

    /// Writes what is yet to be written, if there is a socket for it.
    pub(super) fn write_queue(&mut self) {
        let attempt = self.attempt;
        while self.is_welcomed
            && let Some(message) = self.queue.next()
        {
            let message = Message::from(Up::Data(message.frame()).encode().frame());
            self.actions.push_back(Action::Write { attempt, message });
        }
    }

    pub(super) fn write(&mut self, up: &Up<'_>) {
        let message = Message::from(up.encode().frame());
        self.actions.push_back(Action::Write { attempt: self.attempt, message });
    }
}
