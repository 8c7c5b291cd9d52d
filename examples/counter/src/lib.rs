//! A number that everyone in the room shares.
//!
//! A client sends `+` or `-`; the room sends everyone the new number.

use serde::{Deserialize, Serialize};
use stateroom_wasm::prelude::*;

/// The room. Its state is its fields, and they survive. New code takes them over.
#[stateroom_wasm(carry_over)]
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Counter {
    value: i64,
}

impl SimpleStateroomService for Counter {
    fn new(_room_id: &str, _context: &impl StateroomContext) -> Self {
        Counter { value: 0 }
    }

    fn connect(&mut self, client: ClientId, context: &impl StateroomContext) {
        context.send_message(client, &self.value.to_string());
    }

    fn message(&mut self, _client: ClientId, message: &str, context: &impl StateroomContext) {
        match message {
            "+" => self.value += 1,
            "-" => self.value -= 1,
            _ => return,
        }
        context.send_message(MessageRecipient::Broadcast, &self.value.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stateroom_wasm::{Sent, TestContext, assert_carries_over};

    #[test]
    fn everyone_hears_the_new_number() {
        let context = TestContext::new();
        let mut room = Counter::new("lobby", &context);

        for message in ["+", "+", "-", "nonsense"] {
            room.message(ClientId(1), message, &context);
        }

        let numbers = ["1", "2", "1"].map(|n| Sent::text(MessageRecipient::Broadcast, n));
        assert_eq!(context.take(), numbers);
    }

    #[test]
    fn whoever_comes_later_hears_the_current_number() {
        let context = TestContext::new();
        let mut room = Counter::new("lobby", &context);
        room.message(ClientId(1), "+", &context);
        context.take();

        room.connect(ClientId(2), &context);

        assert_eq!(context.take(), [Sent::text(ClientId(2), "1")]);
    }

    #[test]
    fn new_code_takes_the_number_over() {
        assert_carries_over(&Counter { value: -3 });
    }
}
