//! The room of the small world: a service whose answers follow from its events, and which remembers what it has
//! said to whom from the beginning.

use crate::{
    command::{MessageKind, Recipients},
    session::{Happened, KeyHash, Left, client::Message},
};
use stateroom::ClientId;
use std::collections::BTreeMap;

/// An event of the room's journal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Ev {
    Connect(Name, KeyHash),
    Text(ClientId, String),
    Skip(ClientId, String),
    Disconnect(ClientId),
    Anew(u64),
    Incarnate(u64),
}

/// Who it is, and with which of its keys.
pub(super) type Name = (usize, u8);

/// As [`Happened`], owned.
#[derive(Debug, Clone)]
pub(super) enum Done {
    Connect(ClientId, KeyHash),
    Heard(ClientId),
    Skipped(ClientId),
    Disconnect(ClientId, Left<'static>),
    Sent(Recipients, String),
    Anew(u64),
    Incarnated(u64),
}

impl Done {
    pub(super) fn happened(&self) -> Happened<'_> {
        match self {
            Done::Connect(client, key) => Happened::Connect { client: *client, key: *key },
            Done::Heard(client) => Happened::Heard { client: *client },
            Done::Skipped(client) => Happened::Skipped { client: *client, reason: "it failed" },
            Done::Disconnect(client, why) => Happened::Disconnect { client: *client, why: *why },
            Done::Anew(epoch) => Happened::Anew { epoch: *epoch },
            Done::Incarnated(number) => Happened::Incarnated { number: *number },
            Done::Sent(to, text) => {
                Happened::Sent { to: *to, kind: MessageKind::Text, bytes: text.as_bytes() }
            }
        }
    }
}

#[derive(Debug, Clone, Default, Hash, PartialEq, Eq)]
pub(super) struct Service {
    last: u32,
    pub(super) members: BTreeMap<ClientId, Name>,
    /// Everybody who ever was.
    pub(super) names: BTreeMap<Name, ClientId>,
    /// All counted messages that a client was ever sent.
    pub(super) streams: BTreeMap<ClientId, Vec<Message>>,
    /// What was heard or set aside, in order.
    pub(super) log: Vec<(usize, String)>,
    heard: BTreeMap<ClientId, u64>,
    pub(super) epoch: u64,
}

impl Service {
    /// Hears an event, and tells what has happened, in order. What a message begins with says what comes of it.
    pub(super) fn hear(&mut self, event: &Ev) -> Result<Vec<Done>, String> {
        let mut done = Vec::new();
        match event {
            Ev::Connect(name, key) => {
                self.last += 1;
                let client = ClientId(self.last);
                if self.names.insert(*name, client).is_some() {
                    return Err(format!("{name:?} has two places in the room"));
                }
                self.members.insert(client, *name);
                self.streams.insert(client, Vec::new());
                done.push(Done::Connect(client, *key));
                done.push(self.say(Recipients::One(client), format!("hello {client}")));
            }
            Ev::Text(client, text) => {
                self.note(*client, text)?;
                done.push(Done::Heard(*client));
                match text.as_bytes().first() {
                    Some(b's') => done.push(self.say(Recipients::One(*client), text.clone())),
                    Some(b'o') => done.push(self.say(Recipients::AllExcept(*client), text.clone())),
                    Some(b'c') => {
                        done.push(self.say(Recipients::One(*client), text.clone()));
                        self.members.remove(client);
                        done.push(Done::Disconnect(
                            *client,
                            Left::Closed { code: 4301, reason: "go" },
                        ));
                    }
                    Some(b'q') => {}
                    _ => done.push(self.say(Recipients::All, text.clone())),
                }
            }
            Ev::Skip(client, text) => {
                self.note(*client, text)?;
                done.push(Done::Skipped(*client));
                let number = self.heard.get(client).copied().unwrap_or(0);
                let said = format!("\0skipped {number} it failed");
                self.streams.entry(*client).or_default().push(Message::Text(said));
            }
            Ev::Disconnect(client) => {
                self.members.remove(client);
                done.push(Done::Disconnect(*client, Left::Gone));
            }
            Ev::Incarnate(number) => done.push(Done::Incarnated(*number)),
            Ev::Anew(epoch) => {
                self.epoch = *epoch;
                done.push(Done::Anew(*epoch));
                for client in self.members.keys() {
                    let said = Message::Text(format!("\0anew {epoch}"));
                    self.streams.entry(*client).or_default().push(said);
                }
            }
        }
        Ok(done)
    }

    fn note(&mut self, client: ClientId, text: &str) -> Result<(), String> {
        let Some((user, _)) = self.members.get(&client) else {
            return Err(format!("the room hears {text} of {client}, who is not there"));
        };
        *self.heard.entry(client).or_default() += 1;
        let number = |text: &str| text.get(1..).and_then(|it| it.parse::<u32>().ok());
        let last = self.log.iter().rev().find(|(other, _)| other == user);
        if last.is_some_and(|(_, last)| number(last) >= number(text)) {
            return Err(format!("{text} was heard twice, or too late"));
        }
        self.log.push((*user, text.to_owned()));
        Ok(())
    }

    fn say(&mut self, to: Recipients, text: String) -> Done {
        for client in self.members.keys() {
            let is_for = match to {
                Recipients::All => true,
                Recipients::AllExcept(other) => other != *client,
                Recipients::One(one) => one == *client,
            };
            if is_for {
                self.streams.entry(*client).or_default().push(Message::Text(text.clone()));
            }
        }
        Done::Sent(to, text)
    }
}
