//! What is shown, and what follows from what happens. It knows neither a terminal nor a socket.

use crate::words::{FromRoom, Line, Person, ToRoom};
use stateroom_client::{Event, NotRead, Status, from_json};
use std::collections::{BTreeMap, VecDeque};

/// How many lines are kept.
const MOST_LINES: usize = 1_000;

pub(crate) struct Chat {
    name: String,
    pub(crate) people: BTreeMap<u32, String>,
    pub(crate) lines: VecDeque<String>,
    pub(crate) draft: String,
    pub(crate) status: Status,
    /// Why it is over.
    pub(crate) over: Option<String>,
    /// What was given back, to be sent once it is known where we are.
    unheard: Vec<ToRoom>,
}

impl Chat {
    pub(crate) fn new(name: String) -> Chat {
        Chat {
            name,
            people: BTreeMap::new(),
            lines: VecDeque::new(),
            draft: String::new(),
            status: Status::Connecting,
            over: None,
            unheard: Vec::new(),
        }
    }

    /// What the room has to hear first.
    pub(crate) fn join(&self) -> ToRoom {
        ToRoom::Join { name: self.name.clone() }
    }

    /// What was written, to be sent.
    pub(crate) fn say(&mut self) -> Vec<ToRoom> {
        let text = std::mem::take(&mut self.draft);
        if text.trim().is_empty() { Vec::new() } else { vec![ToRoom::Say { text }] }
    }

    pub(crate) fn note(&mut self, line: String) {
        self.lines.push_back(line);
        while self.lines.len() > MOST_LINES {
            self.lines.pop_front();
        }
    }

    /// Hears what has happened; returns what to send.
    pub(crate) fn hear(&mut self, event: Event<Result<FromRoom, NotRead>>) -> Vec<ToRoom> {
        match event {
            Event::Status(status) => self.status = status,
            Event::Message(Ok(said)) => self.hear_room(said),
            Event::Message(Err(error)) => self.note(error.to_string()),
            Event::Skipped { reason, .. } => {
                self.note(format!("the room failed at that: {reason}"))
            }
            Event::Unsettled { messages } => {
                // That we have joined is said anyway.
                let lines = messages.into_iter().filter_map(|message| from_json(message).ok());
                self.unheard.extend(lines.filter(|line| matches!(line, ToRoom::Say { .. })));
            }
            Event::Resumed { recovered: false, new_session } => {
                if !new_session {
                    self.note("(something was missed here)".to_owned());
                }
                let mut all = vec![self.join()];
                all.append(&mut self.unheard);
                return all;
            }
            Event::Opened | Event::Resumed { .. } => {}
            Event::Closed { code, reason } => {
                self.over = Some(format!("closed: {reason} ({code})"))
            }
        }
        Vec::new()
    }

    fn hear_room(&mut self, said: FromRoom) {
        match said {
            FromRoom::Welcome { people, history } => {
                self.people = people.into_iter().map(|it| (it.client, it.name)).collect();
                self.lines.clear();
                for line in history {
                    self.said(&line);
                }
            }
            FromRoom::Joined(Person { client, name }) => {
                self.note(format!("{name} is here"));
                self.people.insert(client, name);
            }
            FromRoom::Left { client } => {
                if let Some(name) = self.people.remove(&client) {
                    self.note(format!("{name} has left"));
                }
            }
            FromRoom::Said(line) => self.said(&line),
            FromRoom::Refused { reason } => self.note(format!("refused: {reason}")),
            FromRoom::Other => {}
        }
    }

    fn said(&mut self, Line { name, text }: &Line) {
        self.note(format!("{name}: {text}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stateroom_client::Message;

    fn hear(chat: &mut Chat, text: &str) {
        chat.hear(Event::Message(from_json(Message::Text(text.to_owned()))));
    }

    #[test]
    fn it_shows_what_the_chat_says() {
        let mut chat = Chat::new("Ada".to_owned());
        let welcome = r#"{"type":"welcome","you":2,"people":[{"client":1,"name":"Bob"}],
            "history":[{"client":1,"name":"Bob","text":"hi","at":0}]}"#;
        hear(&mut chat, welcome);
        hear(&mut chat, r#"{"type":"joined","client":2,"name":"Ada"}"#);
        hear(&mut chat, r#"{"type":"said","client":2,"name":"Ada","text":"hello","at":0}"#);
        hear(&mut chat, r#"{"type":"left","client":1}"#);
        hear(&mut chat, r#"{"type":"of a newer version"}"#);
        assert_eq!(chat.lines, ["Bob: hi", "Ada is here", "Ada: hello", "Bob has left"]);
        assert_eq!(chat.people.into_values().collect::<Vec<_>>(), ["Ada"]);
    }

    #[test]
    fn what_is_given_back_is_said_after_who_says_it() {
        let mut chat = Chat::new("Ada".to_owned());
        let said = ToRoom::Say { text: "hello".to_owned() };
        let texts = [chat.join(), said.clone()].map(|it| serde_json::to_string(&it).unwrap());
        let messages = texts.map(Message::Text).to_vec();
        assert_eq!(chat.hear(Event::Unsettled { messages }), []);
        let resumed = Event::Resumed { recovered: false, new_session: true };
        assert_eq!(chat.hear(resumed), [chat.join(), said]);
        let recovered = Event::Resumed { recovered: true, new_session: false };
        assert_eq!(chat.hear(recovered), []);
    }
}
