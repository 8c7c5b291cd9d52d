//! What a client does when its socket ends, or seems to have ended.

use super::{
    action::{Action, Message},
    machine::{SessionClient, Status},
};
use crate::{session::close::Next, timestamp::Timestamp};

/// What browsers say when a socket ends without a close.
pub(super) const LOST: u16 = 1006;

impl SessionClient {
    /// Notes that the socket of an attempt has ended, or could not be opened; nothing, if that is not the newest.
    /// `random` is a number that no other client has.
    pub fn lost(&mut self, attempt: u64, code: u16, reason: &str, random: u32, now: Timestamp) {
        if !self.has_socket || attempt != self.attempt {
            return;
        }
        if self.is_welcomed {
            self.backoff.was_welcomed(now.since(self.welcomed_at));
        }
        (self.has_socket, self.is_welcomed) = (false, false);
        (self.ack_at, self.lost_at) = (None, None);
        let next = Next::after(code, reason);
        if let (Next::Anew { heard: Some(heard) }, true) = (next, self.life.is_some()) {
            let before = self.queue.settled;
            if self.queue.settle(heard) && heard > before {
                self.actions.push_back(Action::Settled { heard });
            }
        }
        if self.status == Status::Closing {
            return self.end(code, reason);
        }
        match next {
            Next::Never => return self.end(code, reason),
            Next::Anew { .. } => self.begin_anew(),
            Next::AtOnce => {}
            Next::Later => self.backoff.not_at_once(),
            Next::WithAnotherToken => self.actions.push_back(Action::LogIn),
        }
        if self.status == Status::Live {
            self.status = Status::Away;
        }
        self.dial_at = Some(now.after(self.backoff.next(random)));
    }

    /// Does what is due by now.
    pub fn timer(&mut self, random: u32, now: Timestamp) {
        if self.closed_at.is_some_and(|at| at <= now) {
            self.end(1000, "");
        }
        if self.lost_at.is_some_and(|at| at <= now) {
            let attempt = self.attempt;
            self.actions.push_back(Action::GiveUp { attempt });
            self.lost(attempt, LOST, "", random, now);
        }
        if self.ack_at.is_some_and(|at| at <= now) {
            self.ack();
        }
    }

    /// Has the next attempt begin another session. What was sent in this one and is not known to be durable is the
    /// application's; what was sent before a first welcome was never written, and goes on waiting.
    fn begin_anew(&mut self) {
        self.key = None;
        if self.life.take().is_none() {
            return;
        }
        self.have = 0;
        self.given_up += 1;
        let messages = self.queue.give_up();
        self.unsettled(messages);
    }

    /// Gives messages back to the application, if there are any.
    pub(super) fn unsettled(&mut self, messages: Vec<Message>) {
        if !messages.is_empty() {
            self.actions.push_back(Action::Unsettled { messages });
        }
    }
}
