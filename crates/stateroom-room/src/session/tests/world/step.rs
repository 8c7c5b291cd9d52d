//! One step of the small world.

use super::state::{START, Step, Up, World, later};
use crate::session::{Frame, SocketId, client::Status, tests::service::Ev};
use stateroom::ClientId;

impl World {
    /// Has one thing happen. An error is a promise that was broken.
    pub(in super::super) fn step(&mut self, step: Step) -> Result<(), String> {
        match step {
            Step::Say(user) => {
                let sort = self.left.says[user].as_bytes()[self.users[user].said as usize] as char;
                let it = &mut self.users[user];
                it.said += 1;
                let text = format!("{sort}{}", it.said);
                it.session.push(text.clone());
                it.client.send(Frame::Text(&text)).map_err(|error| error.to_string())?;
                self.act(user)?;
            }
            Step::Dial(user) => self.dial(user)?,
            Step::Ack(user) => {
                self.left.acks -= 1;
                self.users[user].client.timer(0, later(100));
                self.act(user)?;
            }
            Step::Close(user) => {
                self.left.closes -= 1;
                self.users[user].client.close(START);
                self.act(user)?;
            }
            Step::ReadHandshake(socket) => self.read_handshake(socket)?,
            Step::Twice(socket) => {
                self.left.twice -= 1;
                let Some(mut connection) = self.connections.get(&socket).cloned() else {
                    return Ok(());
                };
                connection.attempt = 0;
                self.connections.insert(SocketId(self.next_socket), connection);
                self.next_socket += 1;
            }
            Step::ReadUp(socket) => self.read_up(socket)?,
            Step::ReadDown(socket) => self.read_down(socket)?,
            Step::Cut(socket, is_lost) => {
                self.left.cuts -= 1;
                let Some(connection) = self.connections.get_mut(&socket) else { return Ok(()) };
                if is_lost {
                    connection.up.clear();
                }
                connection.up.push_back(Up::End { by_client: false });
                let (user, attempt) = (connection.user, connection.attempt);
                self.users[user].client.lost(attempt, 1006, "", 0, START);
                self.act(user)?;
            }
            Step::Submit => {
                self.server.on_its_way = std::mem::take(&mut self.server.unsubmitted);
            }
            Step::Kept => self.kept()?,
            Step::BackAgain => {
                let (ledger, service) = self.disk.bring_back()?;
                self.server.host.back_again(ledger);
                self.server.service = service;
                if let Some((client, text)) = self.server.failed.take()
                    && self.server.service.members.contains_key(&client)
                {
                    self.hear(&Ev::Skip(client, text))?;
                }
            }
            Step::Snapshot => {
                self.left.snapshots -= 1;
                let server = &mut self.server;
                let bytes = server.host.ledger().encode();
                server.saving = Some((server.events, bytes, server.service.clone()));
                self.save();
            }
            Step::TellDurable => {
                let _ = self.server.host.timer(later(1));
            }
            Step::Expire => {
                self.left.expiries -= 1;
                let over = self.server.host.timer(later(31));
                // Those that the service has closed go without an event.
                let ledger = self.server.host.ledger();
                for (name, client) in &self.server.service.names {
                    self.users[name.0].cause |= ledger.heard(*client).is_none();
                }
                for client in over {
                    if self.is_here(client) {
                        return Err(format!("{client} was let go, and is here"));
                    }
                    let name = self.server.service.members.get(&client).copied();
                    if let Some((user, _)) = name {
                        self.users[user].cause = true;
                    }
                    self.hear(&Ev::Disconnect(client))?;
                }
            }
            Step::Anew => {
                self.left.anews -= 1;
                for user in &mut self.users {
                    user.cause = true;
                }
                self.hear(&Ev::Anew(2))?;
            }
            Step::Kill(is_kept) => {
                self.left.kills -= 1;
                if is_kept {
                    let events = std::mem::take(&mut self.server.on_its_way);
                    self.write(events)?;
                }
                self.restart()?;
            }
            Step::FinishReplay => {
                self.server.is_replaying = false;
                let (ledger, service) = self.disk.bring_back()?;
                self.server.host.back_again(ledger);
                self.server.service = service;
                self.incarnate()?;
            }
            Step::GoBack => {
                self.left.goes_back -= 1;
                self.disk.journal.pop();
                self.went_back = true;
                self.disk.room = self.disk.bring_back()?.1;
                for user in &mut self.users {
                    user.cause = true;
                }
                self.restart()?;
            }
        }
        self.let_out()
    }

    /// Whether a client has been welcomed on the socket that it uses.
    fn is_here(&self, client: ClientId) -> bool {
        let mut sockets = self.server.attached.iter().filter(|(_, it)| **it == client);
        sockets.any(|(socket, _)| {
            self.connections.get(socket).is_some_and(|connection| {
                let user = &self.users[connection.user].client;
                user.socket() == Some(connection.attempt) && user.status() == Status::Live
            })
        })
    }
}
