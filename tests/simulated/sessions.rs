//! The server's side of the sockets of sessions: what it reads goes to the room, and what is said in sessions is
//! written.

use super::{
    misdeed::Misdeed,
    session_sockets::SessionSockets,
    visitor::Visitor,
    wire::{Down as Sent, Up, Wire},
    world::World,
};
use stateroom::{ClientId, LeaveReason};
use stateroom_room::{
    Event, MessageKind, Recipients, Timestamp,
    session::{Asked, Close, Down, Frame, Listened, Output, Request, SocketId, client::Message},
};

impl World {
    /// The server reads one thing from a connection.
    pub(super) fn read(&mut self, number: u64) {
        let may = self.misdeed == Some(Misdeed::DropsWhileBlocked);
        let Some(wire) = self.wires.get(&number).filter(|wire| !wire.is_over) else { return };
        let id = wire.room;
        if self.live(id).is_none_or(|live| live.kept.is_blocked() && !may) {
            return;
        }
        let Some(wire) = self.wires.get_mut(&number) else { return };
        match wire.handshake.take() {
            Some(request) => {
                let token = wire.token.clone();
                self.comes(id, token.as_deref(), |world| world.ask(number, &request));
            }
            None => self.listen(number),
        }
        self.submit(id);
        self.sweep();
    }

    fn ask(&mut self, number: u64, request: &Request) {
        let (now, moment) = (self.server_time(), self.moment);
        let settings = (self.settings, self.fresh_incarnation());
        let Some(wire) = self.wires.get_mut(&number) else { return };
        wire.asked_at = moment;
        let (id, visitor, token) = (wire.room, wire.visitor, wire.token.clone());
        let token = token.as_deref();
        self.bring_in(id);
        let Some(live) = self.rooms.get_mut(id) else { return };
        let socket = SocketId(number);
        let asked = live.kept.ask(socket, request, token, settings, now).expect("it is in memory");
        if let Asked::Connect(key) = asked
            && self.misdeed != Some(Misdeed::ForgetsJoin)
        {
            self.names.retain(|_, (whose, _)| *whose != visitor);
            live.newcomers.push_back(false);
            if live.kept.handle(Event::Join { token, key }, now).is_err() {
                live.newcomers.pop_back();
                self.socket_ends(number, false);
                if let Some(wire) = self.wires.get_mut(&number) {
                    wire.server_ends(1011, &mut self.random);
                }
            }
        }
        if self.misdeed == Some(Misdeed::AttachesEarly)
            && let Some(live) = self.rooms.get_mut(id)
            && let Some((client, _)) = self.names.iter().find(|(_, (whose, _))| *whose == visitor)
        {
            live.sessions.attached.insert(socket, client.1);
        }
    }

    fn listen(&mut self, number: u64) {
        let now = self.server_time();
        let Some(wire) = self.wires.get_mut(&number) else { return };
        let (id, mut socket, whose) = (wire.room, SocketId(number), wire.client);
        let Some(live) = self.rooms.get_mut(id) else { return };
        let mut is_read = live.sessions.attached.contains_key(&socket);
        if self.misdeed == Some(Misdeed::FeedsOldSocket)
            && let Some(newest) = whose.and_then(|client| live.sessions.newest_of(client))
        {
            (socket, is_read) = (newest, true);
        }
        match wire.up.front() {
            Some(Up::End { by_client }) => {
                let by_client = *by_client;
                self.socket_ends(number, by_client);
            }
            Some(Up::Message(_)) if is_read => {
                let Some(Up::Message(message)) = wire.up.pop_front() else { return };
                let Some((host, own)) = live.kept.sessions(now) else { return };
                let Listened::Hear(client, frame) = host.listen(socket, message.frame(), own)
                else {
                    return;
                };
                let event = match frame {
                    Frame::Text(text) => Event::Text { client, text },
                    Frame::Binary(bytes) => Event::Binary { client, bytes },
                };
                self.counts.heard_at_rest += u64::from(!live.kept.is_in_memory());
                self.tell(id, |_| Some(event));
            }
            _ => {}
        }
    }

    /// The server notices that a connection has ended.
    fn socket_ends(&mut self, number: u64, by_client: bool) {
        let now = self.server_time();
        let Some(wire) = self.wires.get_mut(&number) else { return };
        wire.is_over = true;
        wire.up.clear();
        let (id, whose) = (wire.room, (wire.visitor, wire.key));
        let mut socket = SocketId(number);
        let client = wire.client;
        let Some(live) = self.rooms.get_mut(id) else { return };
        live.sessions.attached.remove(&socket);
        match self.misdeed {
            Some(Misdeed::HidesEnds) => return,
            Some(Misdeed::EndsTheNewest) => {
                let newest = client.and_then(|client| live.sessions.newest_of(client));
                socket = newest.unwrap_or(socket);
            }
            _ => {}
        }
        let name = self.names.iter().find(|(_, name)| **name == whose);
        let SessionSockets { away, stranger_away, .. } = &mut live.sessions;
        match name {
            Some(((_, client), _)) => away.entry(*client).or_insert(self.now),
            None => stranger_away.get_or_insert(self.now),
        };
        let Some((host, own)) = live.kept.sessions(now) else { return };
        let is_wrong = self.misdeed == Some(Misdeed::TellsDriversTime);
        let left = host.ended(socket, by_client, if is_wrong { now } else { own });
        if let Some(client) = left {
            self.left.insert(whose.0);
            if self.misdeed != Some(Misdeed::ForgetsLeaving) {
                self.session_ends(id, client);
            }
        }
    }

    /// The room is told that a client with a session has left.
    fn session_ends(&mut self, id: &'static str, client: ClientId) {
        let name = self.names.remove(&(id, client));
        let is_its = |serial: u64, visitor: &Visitor| name == Some((serial, visitor.keys));
        let is_known = self.visitors.iter().any(|(serial, visitor)| is_its(*serial, visitor));
        for (serial, visitor) in &mut self.visitors {
            // It may be anybody who was never welcomed.
            let is_stranger = visitor.room == id && visitor.client.life().epoch == 0;
            if is_its(*serial, visitor) || !is_known && is_stranger {
                visitor.over = Some(visitor.keys);
            }
        }
        self.tell(id, |_| Some(Event::Leave { client, reason: LeaveReason::Lost }));
    }

    /// The sessions of a room do what is due.
    pub(super) fn look_after_sessions(&mut self, id: &'static str) {
        let now = self.server_time();
        let Some(live) = self.rooms.get_mut(id) else { return };
        let is_due = live.kept.sessions_deadline().is_some_and(|deadline| deadline <= now);
        if !is_due || live.kept.is_blocked() || self.misdeed == Some(Misdeed::ForgetsTimer) {
            return;
        }
        let Some((host, own)) = live.kept.sessions(now) else { return };
        for client in host.timer(own) {
            let Some(live) = self.rooms.get_mut(id).filter(|live| !live.kept.is_blocked()) else {
                return;
            };
            let known = live.sessions.away.remove(&client);
            let since = known.into_iter().chain(live.sessions.stranger_away).min();
            let is_over = since.is_some_and(|since| since + self.settings.grace <= self.now);
            assert!(is_over, "{client} is let go, and was away since {since:?} of {:?}", self.now);
            let name = self.names.get(&(id, client));
            let was_known = name.is_some_and(|(serial, _)| self.left.contains(serial));
            assert!(!was_known, "{client} is let go late: it has left for good");
            self.counts.stayed_away += 1;
            self.session_ends(id, client);
        }
        self.submit(id);
    }

    /// A message of a client was set aside, which is told so in its session.
    pub(super) fn was_set_aside(&mut self, id: &'static str, client: ClientId) {
        if self.misdeed == Some(Misdeed::EndsTheSkipped) {
            return self.tell(id, |_| Some(Event::Leave { client, reason: LeaveReason::Lost }));
        }
        // Some are sent away for a while.
        if self.random.u32(..4) == 0
            && let Some(live) = self.rooms.get_mut(id)
            && let Some(socket) = live.sessions.newest_of(client)
            && let Some(wire) = self.wires.get_mut(&socket.0)
        {
            live.sessions.attached.remove(&socket);
            wire.close(Close::Later);
        }
    }

    /// Writes what is to be said in the sessions of a room, and waits for nothing any more.
    pub(super) fn let_out(&mut self, id: &'static str) {
        let now = self.server_time();
        let World { rooms, wires, names, misdeed, .. } = self;
        let Some(live) = rooms.get_mut(id) else { return };
        if *misdeed == Some(Misdeed::SilentAtRest) && !live.kept.is_in_memory() {
            return;
        }
        let sessions = &mut live.sessions;
        let mut turned_away = Vec::new();
        live.kept.drain_sessions(now, |output| match output {
            Output::Welcome { socket, client, welcome } => {
                let Some(wire) = wires.get_mut(&socket.0) else { return };
                wire.client = Some(client);
                names.insert((id, client), (wire.visitor, wire.key));
                sessions.attached.insert(socket, client);
                sessions.away.remove(&client);
                wire.tell(Down::Welcome(welcome).encode().frame().into());
            }
            Output::Write { socket, kind, bytes } => {
                if let Some(wire) = wires.get_mut(&socket.0)
                    && *misdeed != Some(Misdeed::DropsTail)
                {
                    wire.tell(message(kind, bytes));
                }
            }
            Output::Message { to, kind, bytes } => {
                let receivers = sessions.attached.iter().filter(|(_, client)| match to {
                    Recipients::All => true,
                    Recipients::AllExcept(other) => other != **client,
                    Recipients::One(one) => one == **client,
                });
                for (socket, _) in receivers {
                    if let Some(wire) = wires.get_mut(&socket.0) {
                        wire.tell(message(kind, bytes));
                    }
                }
            }
            Output::Ack { socket, heard } => {
                if let Some(wire) = wires.get_mut(&socket.0)
                    && *misdeed != Some(Misdeed::DropsAcks)
                {
                    wire.tell(Down::Ack { heard }.encode().frame().into());
                }
            }
            Output::Close { socket, close } => {
                let Some(wire) = wires.get_mut(&socket.0) else { return };
                let is_fed = *misdeed == Some(Misdeed::FeedsOldSocket) && wire.client.is_some();
                if is_fed {
                    return;
                }
                wire.close(close);
                if sessions.attached.remove(&socket).is_none() && wire.client.is_none() {
                    // It never was anybody's.
                    wire.is_over = true;
                    turned_away.push(socket);
                }
            }
        });
        for socket in turned_away {
            if let Some((host, own)) = live.kept.sessions(now) {
                let _ = host.ended(socket, false, own);
            }
        }
    }

    /// A room ends while the server goes on, and its connections with it.
    pub(super) fn close_all(&mut self, id: &'static str) {
        self.left.clear();
        let World { wires, random, .. } = self;
        for wire in wires.values_mut().filter(|wire| wire.room == id && wire.is_open()) {
            wire.server_ends(1011, random);
        }
    }

    /// Whether anybody with a session is connected to a room, or may come back.
    pub(super) fn has_sessions(&self, id: &'static str) -> bool {
        self.wires.values().any(|wire| wire.room == id && wire.is_open())
            || self.rooms.get(id).is_some_and(|live| live.kept.sessions_deadline().is_some())
    }

    /// The process ends, and all connections with it. Where the machine may lack what it has told, nothing of that is on
    /// its way any more.
    pub(super) fn all_sockets_end(&mut self, may_lack: bool) {
        self.left.clear();
        let World { wires, random, .. } = self;
        for wire in wires.values_mut() {
            // What nobody has accepted yet, the next process may.
            if wire.is_open() || wire.handshake.is_some() && random.bool() {
                wire.handshake = None;
                wire.server_ends(1006, random);
            }
            if may_lack && wire.is_over {
                wire.down.clear();
                wire.down.push_back(Sent::End(1006, String::new()));
            }
        }
        if may_lack {
            self.names.clear();
            for visitor in self.visitors.values_mut() {
                visitor.may_have_missed(self.moment);
                visitor.over = Some(visitor.keys);
            }
        }
    }

    /// A server that keeps too much to be said again drops what a room has let out.
    pub(super) fn keep_less(&mut self) {
        let id = super::world::ROOMS[self.random.usize(..2)];
        let now = self.server_time();
        let Some((host, _)) = self.rooms.get_mut(id).and_then(|live| live.kept.sessions(now))
        else {
            return;
        };
        host.trim(0);
        for visitor in self.visitors.values_mut().filter(|visitor| visitor.room == id) {
            visitor.may_have_missed(self.moment);
        }
    }

    /// Forgets connections of which nobody hears any more.
    fn sweep(&mut self) {
        let visitors = &self.visitors;
        self.wires.retain(|_, wire: &mut Wire| {
            let visitor = visitors.get(&wire.visitor);
            let is_read = visitor.is_some_and(|it| it.client.socket() == Some(wire.attempt));
            !wire.is_over || is_read && !wire.down.is_empty()
        });
    }

    pub(super) fn server_time(&self) -> Timestamp {
        Timestamp::from_origin(self.now)
    }
}

fn message(kind: MessageKind, bytes: &[u8]) -> Message {
    match kind {
        MessageKind::Text => Message::Text(String::from_utf8(bytes.to_vec()).unwrap()),
        MessageKind::Binary => Message::Binary(bytes.to_vec()),
    }
}
