//! A buzzer for quizzes: who was first? A native service: rooms inside a program of one's own.
//!
//! A client sends `buzz`, or `reset` before the next question. Everyone hears who has buzzed, in
//! order, and how many milliseconds after the first. What comes first is never in doubt: a room
//! hears one event at a time.

use serde_json::{Value, json};
use stateroom::{
    ClientId, MessageRecipient, SimpleServiceFactory, SimpleStateroomService, StateroomContext,
};
use stateroom_server::Server;
use std::time::Instant;

fn main() -> std::io::Result<()> {
    let port = std::env::var("PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(8080);
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/static").to_owned();
    println!("Serving http://127.0.0.1:{port}/");

    Server::new()
        .with_ip("127.0.0.1".into())
        .with_port(port)
        .with_static_path(Some(page))
        .serve(SimpleServiceFactory::<Buzzer>::new())
}

/// The room: who has buzzed, and when.
#[derive(Default)]
struct Buzzer {
    buzzes: Vec<(ClientId, Instant)>,
}

impl SimpleStateroomService for Buzzer {
    fn new(_room_id: &str, _context: &impl StateroomContext) -> Self {
        Buzzer::default()
    }

    fn connect(&mut self, client: ClientId, context: &impl StateroomContext) {
        context.send_message(client, &json!({ "you": client.0 }).to_string());
        context.send_message(client, &self.state().to_string());
    }

    fn message(&mut self, client: ClientId, message: &str, context: &impl StateroomContext) {
        match message {
            "buzz" if !self.has_buzzed(client) => self.buzzes.push((client, Instant::now())),
            "reset" => self.buzzes.clear(),
            _ => return,
        }
        context.send_message(MessageRecipient::Broadcast, &self.state().to_string());
    }
}

impl Buzzer {
    fn has_buzzed(&self, client: ClientId) -> bool {
        self.buzzes.iter().any(|&(other, _)| other == client)
    }

    /// What everyone hears: `{"buzzes": [{"client": 7, "after_ms": 0}]}`, the first one first.
    fn state(&self) -> Value {
        let buzzes = self.buzzes.iter().map(|&(client, at)| {
            let after = at.duration_since(self.buzzes[0].1);
            json!({ "client": client.0, "after_ms": after.as_millis() as u64 })
        });
        json!({ "buzzes": buzzes.collect::<Vec<_>>() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stateroom::{MessageRecipient::Broadcast, TestContext};

    const ADA: ClientId = ClientId(1);
    const BOB: ClientId = ClientId(2);

    /// Whom the room sent its last message to, and who had buzzed then.
    fn heard(context: &TestContext) -> Option<(MessageRecipient, Vec<u64>)> {
        let sent = context.take().pop()?;
        let state: Value = serde_json::from_str(sent.message.text().unwrap()).unwrap();
        let buzzes = state["buzzes"].as_array().unwrap();
        let clients = buzzes.iter().map(|buzz| buzz["client"].as_u64().unwrap());
        Some((sent.recipient, clients.collect()))
    }

    #[test]
    fn everyone_hears_who_was_first_and_nobody_buzzes_twice() {
        let context = TestContext::new();
        let mut room = Buzzer::new("quiz", &context);

        room.message(BOB, "buzz", &context);
        room.message(ADA, "buzz", &context);
        assert_eq!(heard(&context), Some((Broadcast, vec![2, 1])));
        room.message(BOB, "buzz", &context);
        room.message(BOB, "nonsense", &context);

        assert_eq!(heard(&context), None);
    }

    #[test]
    fn the_first_waited_for_nobody() {
        let context = TestContext::new();
        let mut room = Buzzer::new("quiz", &context);

        room.message(ADA, "buzz", &context);

        assert_eq!(room.state(), json!({ "buzzes": [{ "client": 1, "after_ms": 0 }] }));
    }

    #[test]
    fn after_a_reset_the_next_question_is_open_to_all() {
        let context = TestContext::new();
        let mut room = Buzzer::new("quiz", &context);
        room.message(ADA, "buzz", &context);
        room.message(BOB, "reset", &context);
        assert_eq!(heard(&context), Some((Broadcast, vec![])));

        room.message(ADA, "buzz", &context);

        assert_eq!(heard(&context), Some((Broadcast, vec![1])));
    }

    #[test]
    fn whoever_comes_later_hears_who_they_are_and_who_has_buzzed() {
        let context = TestContext::new();
        let mut room = Buzzer::new("quiz", &context);
        room.message(ADA, "buzz", &context);
        context.take();

        room.connect(BOB, &context);

        let sent = context.take();
        assert_eq!(sent[0].message.text(), Some(r#"{"you":2}"#));
        assert_eq!(sent[1].message.text(), Some(&*room.state().to_string()));
    }
}
