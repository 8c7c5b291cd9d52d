//! The server of the small world, and its disk.

use super::state::{Disk, Down, START, Server, Up, World};
use crate::{
    command::Recipients,
    session::{
        Asked, Frame, Key, Ledger, Listened, Output, Request, SessionHost, SocketId,
        client::Message,
        fault::{Fault, is_on},
        tests::service::Ev,
    },
};
use std::collections::BTreeMap;

impl World {
    pub(super) fn read_handshake(&mut self, socket: SocketId) -> Result<(), String> {
        let connection = self.connections.get_mut(&socket);
        let Some((request, user)) = connection.and_then(|it| Some((it.handshake.take()?, it.user)))
        else {
            return Ok(());
        };
        match self.server.host.ask(socket, &request) {
            Asked::Connect(key) => {
                let name = (user, key_number(&request));
                self.hear(&Ev::Connect(name, key))
            }
            Asked::Answered => Ok(()),
        }
    }

    pub(super) fn read_up(&mut self, socket: SocketId) -> Result<(), String> {
        let Some(connection) = self.connections.get_mut(&socket) else { return Ok(()) };
        match connection.up.pop_front() {
            Some(Up::Message(message)) => {
                let heard = self.server.host.listen(socket, message.frame(), START);
                let Listened::Hear(client, Frame::Text(text)) = heard else { return Ok(()) };
                let text = text.to_owned();
                if text.starts_with('x') {
                    self.server.failed = Some((client, text));
                    return Ok(());
                }
                self.hear(&Ev::Text(client, text))
            }
            Some(Up::End { by_client }) => {
                connection.is_over = true;
                self.server.attached.remove(&socket);
                match self.server.host.ended(socket, by_client, START) {
                    Some(client) => self.hear(&Ev::Disconnect(client)),
                    None => Ok(()),
                }
            }
            None => Ok(()),
        }
    }

    /// The room hears an event.
    pub(super) fn hear(&mut self, event: &Ev) -> Result<(), String> {
        let server = &mut self.server;
        if let Ev::Disconnect(client) = event
            && !server.service.members.contains_key(client)
        {
            return Ok(());
        }
        server.events += 1;
        for done in server.service.hear(event)? {
            server.host.note(server.events, done.happened(), START);
        }
        server.unsubmitted.push(event.clone());
        Ok(())
    }

    pub(super) fn write(&mut self, events: Vec<Ev>) -> Result<(), String> {
        for event in events {
            self.disk.room.hear(&event)?;
            self.disk.journal.push(event);
        }
        Ok(())
    }

    pub(super) fn kept(&mut self) -> Result<(), String> {
        let events = std::mem::take(&mut self.server.on_its_way);
        self.server.durable += events.len() as u64;
        self.write(events)?;
        self.save();
        Ok(())
    }

    /// Has a snapshot be on the disk, once all before it is.
    pub(super) fn save(&mut self) {
        let events = self.disk.events();
        if let Some(snapshot) = self.server.saving.take_if(|(at, ..)| *at <= events) {
            let covered = (snapshot.0 - self.disk.snapshot.0) as usize;
            self.disk.journal.drain(..covered);
            self.disk.snapshot = snapshot;
        }
    }

    pub(super) fn restart(&mut self) -> Result<(), String> {
        let (mut ledger, mut service) = self.disk.bring_back()?;
        let is_replaying = is_on(Fault::ResumeBeforeReplay);
        if is_replaying {
            let (_, bytes, snapshot) = &self.disk.snapshot;
            ledger = Ledger::decode(bytes).map_err(|error| error.to_string())?;
            service = snapshot.clone();
        }
        let settings = Disk::settings(&self.left);
        let events = self.disk.events();
        self.server = Server {
            host: SessionHost::open(ledger, settings, events, START),
            service,
            events,
            durable: events,
            unsubmitted: Vec::new(),
            on_its_way: Vec::new(),
            saving: None,
            failed: None,
            attached: BTreeMap::new(),
            is_replaying,
        };
        // What nobody has accepted yet, the next process may.
        for connection in self.connections.values_mut().filter(|it| it.handshake.is_none()) {
            if !connection.is_over {
                connection.is_over = true;
                connection.down.push_back(Down::End(1006, String::new()));
            }
        }
        if is_replaying { Ok(()) } else { self.incarnate() }
    }

    /// The room hears that it was brought back.
    pub(super) fn incarnate(&mut self) -> Result<(), String> {
        self.disk.incarnation += 1;
        self.hear(&Ev::Incarnate(self.disk.incarnation))
    }

    /// Lets out what is durable.
    pub(super) fn let_out(&mut self) -> Result<(), String> {
        let World { server, connections, .. } = self;
        let attached = &mut server.attached;
        server.host.drain(server.durable, START, |output| {
            let mut write = |socket: SocketId, down: Down| {
                if let Some(connection) = connections.get_mut(&socket).filter(|it| !it.is_over) {
                    connection.down.push_back(down);
                }
            };
            match output {
                Output::Welcome { socket, client, welcome } => {
                    attached.insert(socket, client);
                    write(socket, Down::Message(encode(&crate::session::Down::Welcome(welcome))));
                }
                Output::Write { socket, bytes, .. } => write(socket, Down::Message(text(bytes))),
                Output::Ack { socket, heard } => {
                    write(socket, Down::Message(encode(&crate::session::Down::Ack { heard })));
                }
                Output::Message { to, bytes, .. } => {
                    for (socket, client) in &*attached {
                        let is_for = match to {
                            Recipients::All => true,
                            Recipients::AllExcept(other) => other != *client,
                            Recipients::One(one) => one == *client,
                        };
                        if is_for {
                            write(*socket, Down::Message(text(bytes)));
                        }
                    }
                }
                Output::Close { socket, close } => {
                    attached.remove(&socket);
                    write(socket, Down::End(close.code(), close.to_string()));
                }
            }
        });
        self.sweep();
        Ok(())
    }

    /// Forgets connections of which nobody hears any more.
    pub(super) fn sweep(&mut self) {
        let users = &self.users;
        self.connections.retain(|_, connection| {
            let is_current = users[connection.user].client.socket() == Some(connection.attempt);
            let is_read = is_current || is_on(Fault::ClientReadsOldSocket);
            let has_more_down = is_read && !(connection.is_over && connection.down.is_empty());
            connection.handshake.is_some() || !connection.is_over || has_more_down
        });
    }
}

/// Which of its keys a client uses: it is in the key.
fn key_number(request: &Request) -> u8 {
    let is = |number: &u8| {
        (1..=2).any(|user| {
            let mut bits = [0; 16];
            (bits[0], bits[1]) = (user, *number);
            Key::new(bits) == request.key
        })
    };
    (0..=u8::MAX).find(is).unwrap_or_default()
}

fn encode(down: &crate::session::Down<'_>) -> Message {
    Message::from(down.encode().frame())
}

fn text(bytes: &[u8]) -> Message {
    Message::Text(String::from_utf8_lossy(bytes).into_owned())
}
