//! A chat: names, who is here, what was said before one came, and a moderator, who can send others away.
//!
//! A client sends `FromClient` and gets `ToClient`, as JSON. What it sends else never comes here: see `TypedService`.

use serde::{Deserialize, Serialize};
use stateroom_wasm::typed::*;
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

/// How many messages are kept for those who come later.
const MAX_HISTORY: usize = 100;
/// Who is away for so long has left: whoever loads the page again, or comes back after a restart of the server, has
/// not.
const AWAY: Duration = Duration::from_secs(5);
/// The longest name, in characters.
const MAX_NAME: usize = 24;
/// The longest message, in characters.
const MAX_TEXT: usize = 1000;
/// The close code of those who are sent away. Codes from 4301 are a service's own.
const SENT_AWAY: u16 = 4301;

/// The room. New code takes it over: give a field that you add a `#[serde(default)]`.
#[stateroom_wasm(carry_over)]
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Chat {
    /// Who is here. The first of them, who came before the others, is the moderator.
    people: BTreeMap<ClientId, String>,
    history: VecDeque<Said>,
    /// Those of the people who are away, and since when.
    away: VecDeque<(ClientId, Duration)>,
}

/// What a client may send.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[cfg_attr(test, derive(ts_rs::TS))]
enum FromClient {
    /// `{"type": "join", "name": "Ada"}`; joining again changes the name. It stands for a login: whoever has logged in
    /// at the server (`[auth]` in stateroom.toml) has the name of that, and need not join.
    Join { name: String },
    /// `{"type": "say", "text": "Hello"}`
    Say { text: String },
    /// Sends somebody away, which only the moderator can.
    Kick { client: ClientId },
}

/// What a client gets.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[cfg_attr(test, derive(ts_rs::TS))]
enum ToClient {
    /// The whole state, the first that each client hears.
    Welcome { you: ClientId, people: Vec<Person>, history: Vec<Said> },
    /// Somebody has come, or has another name now.
    Joined(Person),
    /// Somebody has gone.
    Left { client: ClientId },
    /// Somebody has said something.
    Said(Said),
    /// What the client asked for is not done, or no more.
    Refused { reason: String },
}

/// Somebody who is here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
struct Person {
    client: ClientId,
    name: String,
}

/// What somebody said. The name is kept with it, for its bearer may have left since.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
struct Said {
    client: ClientId,
    name: String,
    text: String,
    /// When, in milliseconds since 1970.
    at: u64,
}

impl TypedService for Chat {
    type In = FromClient;
    type Out = ToClient;

    fn new(_room_id: &str, _room: &Room<Self>) -> Self {
        Chat::default()
    }

    fn connect(&mut self, client: ClientId, room: &Room<Self>) {
        self.away.retain(|(away, _)| *away != client);
        let person =
            |(client, name): (&ClientId, &String)| Person { client: *client, name: name.clone() };
        let people = self.people.iter().map(person).collect();
        let history = self.history.iter().cloned().collect();
        room.send(client, &ToClient::Welcome { you: client, people, history });
        if let Some(name) = room.user(client) {
            self.join(client, name, room);
        }
    }

    fn disconnect(&mut self, client: ClientId, room: &Room<Self>) {
        if self.people.contains_key(&client) {
            self.away.push_back((client, room.now()));
            self.wait_for_those_away(room);
        }
    }

    fn scheduled(&mut self, _name: &str, room: &Room<Self>) {
        while let Some(&(client, since)) = self.away.front()
            && since + AWAY <= room.now()
        {
            self.away.pop_front();
            self.leave(client, room);
        }
        self.wait_for_those_away(room);
    }

    fn message(&mut self, from: ClientId, said: FromClient, room: &Room<Self>) {
        if let Err(reason) = self.hear(from, said, room) {
            room.send(from, &ToClient::Refused { reason });
        }
    }
}

impl Chat {
    /// Does what `from` asks for, or says why not.
    fn hear(&mut self, from: ClientId, said: FromClient, room: &Room<Self>) -> Result<(), String> {
        match said {
            FromClient::Join { name } => {
                if room.user(from).is_some() {
                    return Err("Your name is that of your login.".to_owned());
                }
                self.join(from, checked("A name", &name, MAX_NAME)?, room);
            }
            FromClient::Say { text } => {
                let text = checked("A message", &text, MAX_TEXT)?;
                let name = self.people.get(&from).ok_or("Join before you speak.")?.clone();
                let at = room.now().as_millis() as u64;
                let said = Said { client: from, name, text, at };
                self.history.push_back(said.clone());
                if self.history.len() > MAX_HISTORY {
                    self.history.pop_front();
                }
                room.broadcast(&ToClient::Said(said));
            }
            FromClient::Kick { client } => {
                let moderator = self.people.first_key_value().filter(|(first, _)| **first == from);
                let (_, name) =
                    moderator.ok_or("Only who has been here the longest can do that.")?;
                let reason = format!("{name} has sent you away.");
                room.send(client, &ToClient::Refused { reason });
                room.close(client, SENT_AWAY, "sent away by the moderator");
                self.leave(client, room);
            }
        }
        Ok(())
    }

    fn join(&mut self, client: ClientId, name: String, room: &Room<Self>) {
        self.people.insert(client, name.clone());
        room.broadcast(&ToClient::Joined(Person { client, name }));
    }

    fn leave(&mut self, client: ClientId, room: &Room<Self>) {
        if self.people.remove(&client).is_some() {
            room.broadcast(&ToClient::Left { client });
        }
    }

    /// Has `scheduled` be called when the next of those who are away has left.
    fn wait_for_those_away(&self, room: &Room<Self>) {
        if let Some((_, since)) = self.away.front() {
            room.schedule("away", (*since + AWAY).saturating_sub(room.now()));
        }
    }
}

/// `text` without the space around it, unless nothing remains or it is too long.
fn checked(what: &str, text: &str, max: usize) -> Result<String, String> {
    match text.trim() {
        "" => Err(format!("{what} can't be empty.")),
        text if text.chars().count() > max => Err(format!("{what} has at most {max} characters.")),
        text => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stateroom_wasm::{MessageRecipient::Broadcast, Sent, TestRoom, assert_carries_over};

    // `stateroom types` makes static/types.d.ts of it.
    stateroom_wasm::typescript!(Chat);

    const ADA: ClientId = ClientId(1);
    const BOB: ClientId = ClientId(2);

    /// A room in which Ada and Bob are.
    fn room() -> TestRoom<Chat> {
        let mut room = TestRoom::new("lobby");
        for (client, name) in [(ADA, "Ada"), (BOB, "Bob")] {
            room.connect(client);
            room.message(client, &FromClient::Join { name: name.to_owned() });
        }
        room.take();
        room
    }

    fn say(text: &str) -> FromClient {
        FromClient::Say { text: text.to_owned() }
    }

    fn person(client: ClientId, name: &str) -> Person {
        Person { client, name: name.to_owned() }
    }

    #[test]
    fn what_is_said_is_heard_by_everyone_and_by_those_who_come_later() {
        let mut room = room();
        room.tick(Duration::from_secs(7));
        room.message(ADA, &say(" Hello "));
        let said = Said { client: ADA, name: "Ada".into(), text: "Hello".into(), at: 7000 };
        assert_eq!(room.take(), [(Broadcast, ToClient::Said(said.clone()))]);

        let you = ClientId(3);
        room.connect(you);
        let people = vec![person(ADA, "Ada"), person(BOB, "Bob")];
        let welcome = ToClient::Welcome { you, people, history: vec![said] };
        assert_eq!(room.take(), [(you.into(), welcome)]);
    }

    #[test]
    fn whoever_has_logged_in_has_the_name_of_the_login() {
        let mut room = TestRoom::<Chat>::new("lobby");
        room.connect_as(ADA, Some("ada@example.com"));
        let joined = ToClient::Joined(person(ADA, "ada@example.com"));
        assert_eq!(room.take().last(), Some(&(Broadcast, joined)));

        room.message(ADA, &FromClient::Join { name: "Bob".to_owned() });
        assert!(matches!(&room.take()[..], [(_, ToClient::Refused { .. })]));
    }

    #[test]
    fn those_who_stay_away_have_left_and_those_who_come_back_have_not() {
        let mut room = room();
        room.disconnect(ADA);
        room.tick(Duration::from_secs(3));
        room.disconnect(BOB);
        room.tick(AWAY / 2);
        assert_eq!(room.take(), [(Broadcast, ToClient::Left { client: ADA })]);

        room.connect(BOB);
        room.take();
        room.tick(2 * AWAY);
        assert_eq!(room.take(), []);
        assert_eq!(room.service.people, BTreeMap::from([(BOB, "Bob".to_owned())]));
    }

    #[test]
    fn the_moderator_can_send_somebody_away_and_nobody_else_can() {
        let mut room = room();
        room.message(BOB, &FromClient::Kick { client: ADA });
        assert!(matches!(&room.take()[..], [(_, ToClient::Refused { .. })]));
        assert!(room.take_closed().is_empty());

        room.message(ADA, &FromClient::Kick { client: BOB });
        let reason = "Ada has sent you away.".to_owned();
        let told = [
            (BOB.into(), ToClient::Refused { reason }),
            (Broadcast, ToClient::Left { client: BOB }),
        ];
        assert_eq!(room.take(), told);
        assert_eq!(room.take_closed()[0].client, BOB);
        room.tick(2 * AWAY);
        assert_eq!(room.take(), [], "Bob has left already");
    }

    #[test]
    fn new_code_takes_over_who_is_here_and_what_was_said() {
        let mut room = room();
        room.message(ADA, &say("Hello"));
        room.disconnect(BOB);

        assert_carries_over(&room.service);
    }

    #[test]
    fn only_the_last_messages_are_kept() {
        let mut room = room();
        for n in 0..MAX_HISTORY + 5 {
            room.message(ADA, &say(&n.to_string()));
        }

        assert_eq!(room.service.history.len(), MAX_HISTORY);
        assert_eq!(room.service.history[0].text, "5");
    }

    #[test]
    fn whoever_asks_for_what_cannot_be_is_told_why() {
        let mut room = room();
        let stranger = ClientId(3);
        for (from, message, why) in [
            (stranger, say("Hello"), "Join before you speak."),
            (ADA, FromClient::Join { name: "  ".to_owned() }, "A name can't be empty."),
            (ADA, FromClient::Join { name: "x".repeat(25) }, "A name has at most 24 characters."),
            (ADA, say(&"x".repeat(1001)), "A message has at most 1000 characters."),
        ] {
            room.message(from, &message);
            let reason = why.to_owned();
            assert_eq!(room.take(), [(from.into(), ToClient::Refused { reason })]);
        }
        room.text(ADA, r#"{"type":"shout"}"#);
        let error = r#"{"error":"unknown variant `shout`, expected one of `join`, `say`, `kick` at line 1 column 15"}"#;
        assert_eq!(room.context.take(), [Sent::text(ADA, error)]);
    }
}
