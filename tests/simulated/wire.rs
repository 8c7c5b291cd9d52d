//! The connections of visitors: what is on its way in both directions, and how it is lost.

use fastrand::Rng;
use stateroom::ClientId;
use stateroom_room::session::{Close, Request, client::Message};
use std::collections::VecDeque;

/// A connection, from its handshake on.
pub(crate) struct Wire {
    pub(crate) visitor: u64,
    /// Which of its keys the visitor asked with.
    pub(crate) key: u64,
    /// 0 for one that the visitor does not know of.
    pub(crate) attempt: u64,
    pub(crate) room: &'static str,
    pub(crate) token: Option<String>,
    /// Until the server has read it.
    pub(crate) handshake: Option<Request>,
    /// When it has.
    pub(crate) asked_at: u64,
    /// Who the visitor is, once it was welcomed.
    pub(crate) client: Option<ClientId>,
    pub(crate) up: VecDeque<Up>,
    pub(crate) down: VecDeque<Down>,
    /// The server reads and writes nothing more.
    pub(crate) is_over: bool,
    /// Nothing comes through any more, and nobody has noticed.
    pub(crate) is_dead: bool,
}

pub(crate) enum Up {
    Message(Message),
    End { by_client: bool },
}

pub(crate) enum Down {
    Message(Message),
    End(u16, String),
}

impl Wire {
    pub(crate) fn new(
        (visitor, key): (u64, u64),
        room: &'static str,
        token: Option<String>,
        request: Request,
    ) -> Wire {
        Wire {
            visitor,
            key,
            attempt: request.attempt,
            room,
            token,
            handshake: Some(request),
            asked_at: 0,
            client: None,
            up: VecDeque::new(),
            down: VecDeque::new(),
            is_over: false,
            is_dead: false,
        }
    }

    /// Whether the server has it open.
    pub(crate) fn is_open(&self) -> bool {
        self.handshake.is_none() && !self.is_over
    }

    /// The visitor writes.
    pub(crate) fn say(&mut self, up: Up) {
        if !self.is_dead && !self.is_over {
            self.up.push_back(up);
        }
    }

    /// The server writes.
    pub(crate) fn tell(&mut self, message: Message) {
        if !self.is_dead && !self.is_over {
            self.down.push_back(Down::Message(message));
        }
    }

    /// The server closes it, and will hear of that end as of any other.
    pub(crate) fn close(&mut self, close: Close) {
        if !self.is_dead {
            self.down.push_back(Down::End(close.code(), close.to_string()));
        }
        self.up.clear();
        self.up.push_back(Up::End { by_client: false });
    }

    /// The server is gone, or the room: some of what was on its way may come, and then the end.
    pub(crate) fn server_ends(&mut self, code: u16, random: &mut Rng) {
        self.is_over = true;
        self.up.clear();
        lose(&mut self.down, random);
        self.down.push_back(Down::End(code, String::new()));
    }

    /// The visitor is gone: some of what was on its way may come, and then the end.
    pub(crate) fn visitor_ends(&mut self, by_client: bool, random: &mut Rng) {
        lose(&mut self.up, random);
        self.down.clear();
        self.up.push_back(Up::End { by_client });
    }

    /// Nothing comes through from now on, and nobody notices.
    pub(crate) fn dies(&mut self, random: &mut Rng) {
        lose(&mut self.up, random);
        lose(&mut self.down, random);
        self.is_dead = true;
    }

    /// Whether there is an end yet to be read by the server.
    pub(crate) fn has_end(&self) -> bool {
        self.up.iter().any(|up| matches!(up, Up::End { .. }))
    }
}

/// Loses all, nothing, or the last part.
fn lose<T>(queue: &mut VecDeque<T>, random: &mut Rng) {
    match random.u32(..3) {
        0 => queue.clear(),
        1 => queue.truncate(random.usize(..=queue.len())),
        _ => {}
    }
}
