//! The clients of the small world, and what they were promised.

use super::state::{Connection, Down, START, Up, World, later};
use crate::session::{
    Key, Next, Request, SocketId,
    client::{Action, Message},
};
use std::collections::VecDeque;

impl World {
    pub(super) fn dial(&mut self, user: usize) -> Result<(), String> {
        let it = &mut self.users[user];
        let keys = &mut it.keys;
        let request = it.client.dial(later(100), || {
            *keys += 1;
            let mut bits = [0; 16];
            (bits[0], bits[1]) = (user as u8 + 1, *keys);
            Key::new(bits)
        });
        let Some(request) = request else { return Ok(()) };
        let entry = request.to_entry();
        if Request::from_entry(&entry) != Ok(request) {
            return Err(format!("{entry} is not read as it was written"));
        }
        let (socket, attempt) = (SocketId(self.next_socket), request.attempt);
        self.next_socket += 1;
        let handshake = Some(request);
        let (up, down) = (VecDeque::new(), VecDeque::new());
        let connection = Connection { user, attempt, handshake, up, down, is_over: false };
        self.connections.insert(socket, connection);
        self.act(user)
    }

    pub(super) fn read_down(&mut self, socket: SocketId) -> Result<(), String> {
        let Some(connection) = self.connections.get_mut(&socket) else { return Ok(()) };
        let (user, attempt) = (connection.user, connection.attempt);
        let is_current = self.users[user].client.socket() == Some(attempt);
        let is_stale = connection.is_over && self.went_back;
        match connection.down.pop_front() {
            Some(Down::Message(message)) => {
                self.users[user].client.received(attempt, message.frame(), 0, START);
            }
            Some(Down::End(code, reason)) => {
                if code == 4300 && is_current {
                    return Err(format!("the newest socket of client {user} was thrown out"));
                }
                if code == 1002 {
                    return Err(format!("client {user} is told that it is wrong"));
                }
                if is_current
                    && matches!(Next::after(code, &reason), Next::Anew { .. })
                    && !self.users[user].cause
                {
                    return Err(format!("client {user} is told that it is over, without a cause"));
                }
                connection.up.push_back(Up::End { by_client: false });
                self.users[user].client.lost(attempt, code, &reason, 0, START);
            }
            None => {}
        }
        self.act_on(user, is_stale)
    }

    /// Carries out what a client wants.
    pub(super) fn act(&mut self, user: usize) -> Result<(), String> {
        self.act_on(user, false)
    }

    /// The same, where what has come may be of a time that the disk does not know any more.
    pub(super) fn act_on(&mut self, user: usize, is_stale: bool) -> Result<(), String> {
        while let Some(action) = self.users[user].client.next_action() {
            let it = &mut self.users[user];
            let attempt = it.client.socket();
            let connection = self
                .connections
                .values_mut()
                .find(|connection| connection.user == user && Some(connection.attempt) == attempt);
            match action {
                Action::Write { message, .. } => {
                    if let Some(connection) = connection {
                        connection.up.push_back(Up::Message(message));
                    }
                }
                Action::Close { attempt } => {
                    let mine = self.connections.values_mut().filter(|it| it.user == user);
                    for connection in mine.filter(|it| it.attempt == attempt) {
                        connection.up.push_back(Up::End { by_client: true });
                    }
                }
                Action::GiveUp { .. } => {
                    return Err(format!("client {user} was told what may not come"));
                }
                Action::Opened => {}
                Action::Resumed { recovered, .. } => {
                    let is_bounded = self.left.bound > 0;
                    if !recovered && !it.cause && !is_bounded {
                        return Err(format!("client {user} was told `anew` without a cause"));
                    }
                    if !recovered {
                        it.got.clear();
                        it.got_from = it.client.received_count();
                    }
                    self.check(user, is_stale)?;
                }
                Action::Deliver(message) => {
                    it.got.push(message);
                    self.check(user, is_stale)?;
                }
                Action::Skipped { number, reason } => {
                    it.got.push(Message::Text(format!("\0skipped {number} {reason}")));
                    self.check(user, is_stale)?;
                }
                Action::Settled { heard } => {
                    let room = &self.disk.room.log;
                    let is_there = |text: &String| room.contains(&(user, text.clone()));
                    let settled = it.session.get(..heard as usize).unwrap_or_default();
                    if !self.went_back && !settled.iter().all(is_there) {
                        return Err(format!("client {user} was told that {settled:?} is durable"));
                    }
                }
                Action::Unsettled { messages } => {
                    for message in messages {
                        if let Message::Text(text) = message {
                            it.unsettled.push(text);
                        }
                    }
                    // It goes on in a room that began anew.
                    it.session.truncate(it.client.sent() as usize);
                    it.got.clear();
                    it.got_from = 0;
                }
                Action::Closed { .. } | Action::LogIn => {}
            }
        }
        let it = &mut self.users[user];
        if it.client.life().epoch > self.disk.room.epoch && !self.went_back {
            return Err(format!("client {user} was told of an epoch that has not begun"));
        }
        if it.client.sent() == 0 {
            it.session.clear();
        }
        if it.client.received_count() == 0 {
            it.got.clear();
            it.got_from = 0;
        }
        Ok(())
    }

    /// What a client has got is what the durable room has said to it.
    pub(super) fn check(&self, user: usize, is_stale: bool) -> Result<(), String> {
        let it = &self.users[user];
        let room = &self.disk.room;
        let stream = room.names.get(&(user, it.keys)).and_then(|client| room.streams.get(client));
        let from = it.got_from as usize;
        let said = stream.and_then(|stream| stream.get(from..from + it.got.len()));
        // `anew` is told as something else, and begins what is got.
        let is_same = said.is_some_and(|said| said == it.got);
        if is_same || it.got.is_empty() || is_stale {
            return Ok(());
        }
        Err(format!("client {user} got {:?}, and the room had said {stream:?}", it.got))
    }
}
