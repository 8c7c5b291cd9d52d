//! What a client has said and does not know to be durable.

use super::action::Message;
use std::collections::VecDeque;

/// The last messages of a session, in order. They are counted from its beginning.
#[derive(Debug, Clone, Default, Hash)]
pub(super) struct Queue {
    messages: VecDeque<Message>,
    bytes: usize,
    /// How many came before the first: they are durable.
    pub(super) settled: u64,
    /// How many were written to the socket there is, or before it.
    pub(super) written: u64,
    /// How many were ever written.
    pub(super) sent: u64,
}

impl Queue {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn push(&mut self, message: Message) {
        self.bytes += message.frame().len();
        self.messages.push_back(message);
    }

    /// How many messages the session has.
    pub(super) fn total(&self) -> u64 {
        self.settled + self.messages.len() as u64
    }

    /// How many bytes are yet to be written.
    pub(super) fn unwritten_bytes(&self) -> usize {
        let written = (self.written - self.settled) as usize;
        self.messages.iter().skip(written).map(|message| message.frame().len()).sum()
    }

    /// The next message to be written.
    pub(super) fn next(&mut self) -> Option<&Message> {
        let message = self.messages.get((self.written - self.settled) as usize)?;
        self.written += 1;
        self.sent = self.sent.max(self.written);
        Some(message)
    }

    /// Notes that so many are durable. `false` if that cannot be.
    pub(super) fn settle(&mut self, heard: u64) -> bool {
        if heard < self.settled || heard > self.sent {
            return false;
        }
        for _ in self.settled..heard {
            self.bytes -= self.messages.pop_front().map_or(0, |message| message.frame().len());
        }
        self.settled = heard;
        self.written = self.written.max(heard);
        true
    }

    /// Gives back what is there, which no server will ever hear.
    pub(super) fn hand_back(&mut self) -> Vec<Message> {
        (self.bytes, self.written, self.sent) = (0, self.settled, self.settled);
        std::mem::take(&mut self.messages).into()
    }

    /// Gives up what is there, and counts from the beginning.
    pub(super) fn give_up(&mut self) -> Vec<Message> {
        std::mem::take(self).messages.into()
    }
}
