//! A chat: names, who is here, and what was said before one came.
//!
//! The room and its clients speak JSON: a client sends `FromClient` and hears `ToClient`.

use serde::{Deserialize, Serialize};
use stateroom_wasm::prelude::*;
use std::{
    collections::{BTreeMap, VecDeque},
    time::SystemTime,
};

/// How many messages are kept for those who come later.
const MAX_HISTORY: usize = 100;
/// Who is away for one to two times this, in milliseconds, has left: whoever loads the page again, or comes
/// back after a restart of the server, has not.
const AWAY: u32 = 3000;
/// The longest name, in characters.
const MAX_NAME: usize = 24;
/// The longest message, in characters.
const MAX_TEXT: usize = 1000;

/// The room. New code takes it over: give a field that you add a `#[serde(default)]`.
#[stateroom_wasm(carry_over)]
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Chat {
    people: BTreeMap<u32, String>,
    history: VecDeque<Message>,
    /// Those of the people who are away, and whether they already were at the last timer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    away: BTreeMap<u32, bool>,
}

/// What somebody said. The name is kept with it, for its bearer may have left since.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Message {
    client: u32,
    name: String,
    text: String,
    /// When, in milliseconds since 1970.
    #[serde(default)]
    at: u64,
}

/// What a client may send.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum FromClient {
    /// `{"type": "join", "name": "Ada"}`; joining again changes the name.
    Join { name: String },
    /// `{"type": "say", "text": "Hello"}`
    Say { text: String },
}

/// What a client hears.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ToClient<'a> {
    /// The whole state, the first that each client hears.
    Welcome {
        you: u32,
        room: &'a Chat,
    },
    Joined {
        client: u32,
        name: String,
    },
    Left {
        client: u32,
    },
    Said(Message),
    /// Why what the client sent was not accepted.
    Refused {
        reason: String,
    },
}

impl SimpleStateroomService for Chat {
    fn new(_room_id: &str, _context: &impl StateroomContext) -> Self {
        Chat::default()
    }

    fn connect(&mut self, client: ClientId, context: &impl StateroomContext) {
        self.away.remove(&client.0);
        send(context, client, &ToClient::Welcome { you: client.0, room: self });
    }

    fn disconnect(&mut self, client: ClientId, context: &impl StateroomContext) {
        if self.people.contains_key(&client.0) {
            if self.away.is_empty() {
                context.set_timer(AWAY);
            }
            self.away.insert(client.0, false);
        }
    }

    fn timer(&mut self, context: &impl StateroomContext) {
        for (client, was_away) in std::mem::take(&mut self.away) {
            if was_away {
                self.people.remove(&client);
                send(context, MessageRecipient::Broadcast, &ToClient::Left { client });
            } else {
                self.away.insert(client, true);
            }
        }
        if !self.away.is_empty() {
            context.set_timer(AWAY);
        }
    }

    fn message(&mut self, client: ClientId, message: &str, context: &impl StateroomContext) {
        match self.hear(client.0, message) {
            Ok(news) => send(context, MessageRecipient::Broadcast, &news),
            Err(reason) => send(context, client, &ToClient::Refused { reason }),
        }
    }
}

impl Chat {
    /// Takes in what `client` sent and says what everyone should hear of it, or why it is refused.
    fn hear(&mut self, client: u32, message: &str) -> Result<ToClient<'static>, String> {
        match serde_json::from_str(message).map_err(|error| error.to_string())? {
            FromClient::Join { name } => {
                let name = checked("A name", &name, MAX_NAME)?;
                self.people.insert(client, name.clone());
                Ok(ToClient::Joined { client, name })
            }
            FromClient::Say { text } => {
                let text = checked("A message", &text, MAX_TEXT)?;
                let name = self.people.get(&client).ok_or("Join before you speak.")?.clone();
                let message = Message { client, name, text, at: now() };
                self.history.push_back(message.clone());
                if self.history.len() > MAX_HISTORY {
                    self.history.pop_front();
                }
                Ok(ToClient::Said(message))
            }
        }
    }
}

/// The time, in milliseconds since 1970. A room's clock tells when it heard what it hears.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_millis() as u64
}

/// `text` without the space around it, unless nothing remains or it is too long.
fn checked(what: &str, text: &str, max: usize) -> Result<String, String> {
    match text.trim() {
        "" => Err(format!("{what} can't be empty.")),
        text if text.chars().count() > max => Err(format!("{what} has at most {max} characters.")),
        text => Ok(text.to_owned()),
    }
}

fn send(
    context: &impl StateroomContext,
    recipient: impl Into<MessageRecipient>,
    message: &ToClient,
) {
    let json = serde_json::to_string(message).expect("numbers and text are always valid JSON");
    context.send_message(recipient, &json);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use stateroom_wasm::{MessageRecipient::Broadcast, TestContext, assert_carries_over};

    const ADA: ClientId = ClientId(1);
    const BOB: ClientId = ClientId(2);

    /// A room and what it has sent, as JSON, without the times.
    struct Room(Chat, TestContext);

    impl Room {
        fn new() -> Self {
            let context = TestContext::new();
            Room(Chat::new("lobby", &context), context)
        }

        fn say(&mut self, client: ClientId, message: &Value) -> (MessageRecipient, Value) {
            self.0.message(client, &message.to_string(), &self.1);
            self.sent()
        }

        fn sent(&self) -> (MessageRecipient, Value) {
            let sent = self.1.take();
            let [sent] = sent.as_slice() else { panic!("one message, not {sent:?}") };
            let mut message = serde_json::from_str(sent.message.text().unwrap()).unwrap();
            take_times(&mut message);
            (sent.recipient, message)
        }
    }

    fn take_times(value: &mut Value) {
        match value {
            Value::Array(values) => values.iter_mut().for_each(take_times),
            Value::Object(fields) => {
                assert_ne!(fields.remove("at"), Some(json!(0)), "each time is one");
                fields.values_mut().for_each(take_times);
            }
            _ => {}
        }
    }

    #[test]
    fn what_is_said_is_heard_by_everyone_and_by_those_who_come_later() {
        let mut room = Room::new();
        let joined = room.say(ADA, &json!({"type": "join", "name": " Ada "}));
        assert_eq!(joined, (Broadcast, json!({"type": "joined", "client": 1, "name": "Ada"})));

        let said = room.say(ADA, &json!({"type": "say", "text": "Hello"}));
        let message = json!({"type": "said", "client": 1, "name": "Ada", "text": "Hello"});
        assert_eq!(said, (Broadcast, message));

        room.0.connect(BOB, &room.1);
        let history = json!([{"client": 1, "name": "Ada", "text": "Hello"}]);
        let state = json!({"people": {"1": "Ada"}, "history": history});
        assert_eq!(room.sent(), (BOB.into(), json!({"type": "welcome", "you": 2, "room": state})));
    }

    #[test]
    fn those_who_stay_away_are_missed_if_they_had_joined() {
        let mut room = Room::new();
        room.say(ADA, &json!({"type": "join", "name": "Ada"}));

        room.0.disconnect(BOB, &room.1);
        room.0.disconnect(ADA, &room.1);
        room.0.timer(&room.1);
        assert!(room.1.take().is_empty() && room.1.timer_ms() == Some(AWAY));
        room.0.timer(&room.1);

        assert_eq!(room.sent(), (Broadcast, json!({"type": "left", "client": 1})));
        assert!(room.0.people.is_empty() && room.0.away.is_empty());
    }

    #[test]
    fn whoever_comes_back_at_once_has_not_left() {
        let mut room = Room::new();
        room.say(ADA, &json!({"type": "join", "name": "Ada"}));
        room.say(BOB, &json!({"type": "join", "name": "Bob"}));

        room.0.disconnect(ADA, &room.1);
        room.0.timer(&room.1);
        room.0.connect(ADA, &room.1);
        let (_, welcome) = room.sent();
        assert_eq!(welcome["room"]["people"], json!({"1": "Ada", "2": "Bob"}));
        room.0.timer(&room.1);

        assert!(room.1.take().is_empty(), "nobody hears of it");
    }

    #[test]
    fn new_code_takes_over_who_is_here_and_what_was_said() {
        let mut room = Room::new();
        room.say(ADA, &json!({"type": "join", "name": "Ada"}));
        room.say(ADA, &json!({"type": "say", "text": "Hello"}));

        assert_carries_over(&room.0);
    }

    #[test]
    fn only_the_last_messages_are_kept() {
        let mut room = Room::new();
        room.say(ADA, &json!({"type": "join", "name": "Ada"}));
        for n in 0..MAX_HISTORY + 5 {
            room.say(ADA, &json!({"type": "say", "text": n.to_string()}));
        }

        assert_eq!(room.0.history.len(), MAX_HISTORY);
        assert_eq!(room.0.history[0].text, "5");
    }

    #[test]
    fn whoever_sends_nonsense_is_told_why_it_is_refused() {
        let mut room = Room::new();
        for (nonsense, reason) in [
            (json!({"type": "say", "text": "Hello"}), "Join before you speak."),
            (json!({"type": "join", "name": "  "}), "A name can't be empty."),
            (json!({"type": "join", "name": "x".repeat(25)}), "A name has at most 24 characters."),
            (json!({"type": "say", "text": "x".repeat(1001)}), "A message has at most 1000"),
            (json!({"type": "shout"}), "unknown variant `shout`"),
            (json!("hello"), "invalid type"),
        ] {
            let (recipient, refused) = room.say(ADA, &nonsense);
            assert_eq!(recipient, ADA.into());
            assert_eq!(refused["type"], "refused");
            assert!(refused["reason"].as_str().unwrap().starts_with(reason), "{refused}");
        }
    }
}
