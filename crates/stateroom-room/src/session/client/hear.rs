//! What a client hears on its socket.

use super::{
    action::Action,
    loss::LOST,
    machine::{SessionClient, Status},
};
use crate::{
    session::{
        fault::{Fault, is_on},
        frame::Frame,
        message::{Down, Up, Welcome},
        request::Life,
    },
    timestamp::Timestamp,
};

impl SessionClient {
    /// Hears a whole message on the socket of an attempt; nothing, if that is not the newest. `random` is a number that
    /// no other client has.
    pub fn received(&mut self, attempt: u64, frame: Frame<'_>, random: u32, now: Timestamp) {
        let is_mine = self.has_socket && attempt == self.attempt;
        if !is_mine && !is_on(Fault::ClientReadsOldSocket) {
            return;
        }
        let is_sound = match Down::decode(frame) {
            Ok(down) if is_mine || down.counts() => self.hear(down, now),
            Ok(_) => true,
            Err(_) => false,
        };
        if !is_sound {
            self.actions.push_back(Action::GiveUp { attempt });
            self.lost(attempt, LOST, "", random, now);
        } else if self.status == Status::Closing && self.queue.total() == self.queue.settled {
            self.end(1000, "");
        }
    }

    /// `false` if it may not come now.
    fn hear(&mut self, down: Down<'_>, now: Timestamp) -> bool {
        if let Down::Welcome(welcome) = down {
            return !self.is_welcomed && self.welcome(&welcome, now);
        }
        if !self.is_welcomed && !is_on(Fault::ClientReadsOldSocket) {
            return false;
        }
        self.lost_at = None;
        if down.counts() {
            self.have += 1;
        }
        match down {
            Down::Data(frame) => {
                self.got(frame.len() as u64, now);
                self.actions.push_back(Action::Deliver(frame.into()));
            }
            Down::Skipped { number, reason } => {
                self.got(reason.len() as u64, now);
                self.actions.push_back(Action::Skipped { number, reason: reason.to_owned() });
            }
            Down::Anew { epoch } => {
                let incarnation = self.life().incarnation;
                self.life = Some(Life { epoch, incarnation });
                self.actions.push_back(Action::Resumed { recovered: false, new_session: false });
            }
            Down::Ack { heard } => {
                let before = self.queue.settled;
                if !self.queue.settle(heard) {
                    return false;
                }
                if heard > before {
                    self.actions.push_back(Action::Settled { heard });
                }
            }
            Down::Welcome(_) => {}
        }
        true
    }

    fn welcome(&mut self, welcome: &Welcome, now: Timestamp) -> bool {
        let before = self.queue.settled;
        if !self.queue.settle(welcome.heard) {
            return false;
        }
        self.queue.written = welcome.heard;
        let is_same = match self.life {
            Some(life) => life.epoch == welcome.life.epoch,
            // Another session than the one it had before is no recovery.
            None => self.status == Status::Connecting,
        };
        let recovered = is_same && welcome.from == self.have;
        let new_session = self.life.is_none();
        (self.life, self.have) = (Some(welcome.life), welcome.from);
        (self.ack_bytes, self.largest) = (welcome.ack_bytes, welcome.largest);
        (self.untold, self.ack_at, self.lost_at) = (0, None, None);
        if welcome.heard > before {
            self.actions.push_back(Action::Settled { heard: welcome.heard });
        }
        if self.status == Status::Connecting {
            self.actions.push_back(Action::Opened);
        }
        if !is_same && !new_session {
            self.given_up += 1;
            // It was meant for what the room was. The application knows what has to be said first to what it is.
            let messages = self.queue.hand_back();
            self.unsettled(messages);
        }
        if self.status != Status::Connecting || !recovered {
            self.actions.push_back(Action::Resumed { recovered, new_session });
        }
        (self.is_welcomed, self.status) = (true, Status::Live);
        self.welcomed_at = now;
        self.write_queue();
        true
    }

    /// Notes that a counted message has come, and tells it when enough have.
    fn got(&mut self, bytes: u64, now: Timestamp) {
        self.untold += bytes;
        let at = *self.ack_at.get_or_insert(now.after(self.settings.ack_after));
        if self.untold >= self.ack_bytes || at <= now {
            self.ack();
        }
    }

    pub(super) fn ack(&mut self) {
        (self.untold, self.ack_at) = (0, None);
        if self.is_welcomed {
            self.write(&Up::Ack { have: self.have });
        }
    }
}
