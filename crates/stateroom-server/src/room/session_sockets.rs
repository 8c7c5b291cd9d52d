//! The sockets of clients with sessions: who has yet to be welcomed, on which connection each is, and what is said
//! there.

use super::{
    newcomer::Newcomer,
    turn::{Leaving, Ready, Turn},
};
use crate::{
    fair_share::FairShare,
    retained::Retained,
    sockets::{Line, Sockets},
};
use stateroom_room::{
    MessageKind,
    session::{Down, Frame, Output, SocketId},
};
use std::{collections::VecDeque, sync::Arc};

/// See the [module](self).
pub(super) struct SessionSockets {
    last: u64,
    /// In the order in which they came, which is that of their numbers.
    waiting: VecDeque<(SocketId, Newcomer)>,
    /// On which connection each is, ascending.
    keys: Vec<(SocketId, u32)>,
    /// Newcomers who were turned away, of which the sessions have yet to hear.
    pub(super) turned_away: Vec<SocketId>,
    pub(super) retained: Retained,
}

impl SessionSockets {
    pub(super) fn new(retained: &Arc<FairShare>) -> Self {
        SessionSockets {
            last: 0,
            waiting: VecDeque::new(),
            keys: Vec::new(),
            turned_away: Vec::new(),
            retained: Retained::new(retained.clone()),
        }
    }

    /// Has a newcomer wait for its welcome, as a socket of this number.
    pub(super) fn wait(&mut self, newcomer: Newcomer) -> SocketId {
        self.last += 1;
        let socket = SocketId(self.last);
        self.waiting.push_back((socket, newcomer));
        socket
    }

    /// The newcomer who waits, and does no more.
    pub(super) fn take(&mut self, socket: SocketId) -> Option<Newcomer> {
        let place = self.waiting.binary_search_by_key(&socket, |(socket, _)| *socket).ok()?;
        let taken = self.waiting.remove(place);
        if self.waiting.is_empty() {
            // Most rooms are small, and wait for nobody most of the time.
            self.waiting = VecDeque::new();
        }
        taken.map(|(_, newcomer)| newcomer)
    }

    /// All who wait, and do no more.
    pub(super) fn take_waiting(&mut self) -> impl Iterator<Item = Newcomer> + use<> {
        std::mem::take(&mut self.waiting).into_iter().map(|(_, newcomer)| newcomer)
    }

    pub(super) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Notes that a socket has ended.
    pub(super) fn forget(&mut self, socket: SocketId) {
        if let Ok(place) = self.keys.binary_search_by_key(&socket, |(socket, _)| *socket) {
            self.keys.remove(place);
        }
    }

    /// Notes on which connection a socket is.
    fn is_on(&mut self, socket: SocketId, key: u32) {
        if self.keys.is_empty() {
            self.keys.reserve_exact(1);
        }
        let place = self.keys.partition_point(|(other, _)| *other < socket);
        self.keys.insert(place, (socket, key));
    }

    fn key_of(&self, socket: SocketId) -> Option<u32> {
        let place = self.keys.binary_search_by_key(&socket, |(socket, _)| *socket).ok()?;
        self.keys.get(place).map(|(_, key)| *key)
    }

    /// Carries out what the sessions ask for.
    pub(super) fn carry_out<F>(
        &mut self,
        output: Output<'_>,
        sockets: &mut Sockets,
        early: &mut Vec<(Ready, Vec<u8>)>,
        leaving: &mut Vec<(u32, Leaving)>,
        turn: &mut Turn<F>,
    ) {
        match output {
            Output::Message { to, kind, bytes } => sockets.send(Line::Session, to, kind, bytes),
            Output::Welcome { socket, client, welcome } => {
                if let Some(newcomer) = self.take(socket) {
                    let key = newcomer.join(client, sockets, early, turn);
                    sockets.has_session(key, socket);
                    self.is_on(socket, key);
                    self.say(sockets, socket, &Down::Welcome(welcome));
                }
            }
            Output::Write { socket, kind, bytes } => {
                if let Some(key) = self.key_of(socket) {
                    sockets.send_on(key, kind, bytes);
                }
            }
            Output::Ack { socket, heard } => self.say(sockets, socket, &Down::Ack { heard }),
            Output::Close { socket, close } => {
                if let Some(newcomer) = self.take(socket) {
                    newcomer.turn_away(Leaving::Session(close), turn);
                    self.turned_away.push(socket);
                } else if let Some(key) = self.key_of(socket)
                    && sockets.send_no_more_on(key)
                {
                    leaving.push((key, Leaving::Session(close)));
                }
            }
        }
    }

    fn say(&self, sockets: &mut Sockets, socket: SocketId, down: &Down<'_>) {
        if let (Some(key), Frame::Text(text)) = (self.key_of(socket), down.encode().frame()) {
            sockets.send_on(key, MessageKind::Text, text.as_bytes());
        }
    }
}
