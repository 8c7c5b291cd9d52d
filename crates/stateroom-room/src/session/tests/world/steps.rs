//! What can happen next in the small world.

use super::state::{Step, World, later};
use crate::session::{
    client::Status,
    fault::{Fault, is_on},
};

impl World {
    /// All that can happen next. Without what costs of the plan, if that is to come to rest.
    pub(in super::super) fn steps(&self, is_to_rest: bool) -> Vec<Step> {
        let mut steps = Vec::new();
        let server = &self.server;
        let may_hear = server.failed.is_none() && !server.is_replaying;
        let is_blocked = server.failed.is_some();
        for (index, user) in self.users.iter().enumerate() {
            let is_over = user.client.status() == Status::Closed;
            if user.client.status() != Status::Closing
                && !is_over
                && (user.said as usize) < self.left.says[index].len()
            {
                steps.push(Step::Say(index));
            }
            if user.client.socket().is_none() && !is_over {
                steps.push(Step::Dial(index));
            }
            if !is_to_rest && self.left.acks > 0 && user.client.deadline().is_some() {
                steps.push(Step::Ack(index));
            }
            if !is_to_rest && self.left.closes > 0 && user.client.status() == Status::Live {
                steps.push(Step::Close(index));
            }
        }
        for (&socket, connection) in &self.connections {
            let is_current =
                self.users[connection.user].client.socket() == Some(connection.attempt);
            match connection.handshake {
                Some(_) if !is_blocked => steps.push(Step::ReadHandshake(socket)),
                None if may_hear && !connection.up.is_empty() && !connection.is_over => {
                    steps.push(Step::ReadUp(socket));
                }
                _ => {}
            }
            let is_read = is_current || is_on(Fault::ClientReadsOldSocket);
            if !connection.down.is_empty() && is_read {
                steps.push(Step::ReadDown(socket));
            }
            if connection.handshake.is_some() && !is_to_rest && self.left.twice > 0 {
                steps.push(Step::Twice(socket));
            }
            if is_current && !is_to_rest && self.left.cuts > 0 {
                steps.push(Step::Cut(socket, true));
                steps.push(Step::Cut(socket, false));
            }
        }
        if server.on_its_way.is_empty() && !server.unsubmitted.is_empty() {
            steps.push(Step::Submit);
        }
        if !server.on_its_way.is_empty() {
            steps.push(Step::Kept);
        }
        let is_durable = server.on_its_way.is_empty() && server.unsubmitted.is_empty();
        if server.failed.is_some() && is_durable {
            steps.push(Step::BackAgain);
        }
        if server.is_replaying {
            steps.push(Step::FinishReplay);
        }
        if may_hear && server.host.deadline().is_some_and(|at| at < later(1)) {
            steps.push(Step::TellDurable);
        }
        let is_away = server.host.deadline().is_some_and(|at| at >= later(1));
        if !is_to_rest && !server.is_replaying {
            if self.left.snapshots > 0 && server.unsubmitted.is_empty() && may_hear {
                steps.push(Step::Snapshot);
            }
            if self.left.expiries > 0 && may_hear && is_away {
                steps.push(Step::Expire);
            }
            if self.left.anews > 0 && may_hear {
                steps.push(Step::Anew);
            }
            if self.left.kills > 0 {
                steps.push(Step::Kill(false));
                if !server.on_its_way.is_empty() {
                    steps.push(Step::Kill(true));
                }
            }
            if self.left.goes_back > 0 && !self.disk.journal.is_empty() {
                steps.push(Step::GoBack);
            }
        }
        steps
    }
}
