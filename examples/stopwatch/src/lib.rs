//! A stopwatch that runs for everyone in the room.
//!
//! The room sends the number of seconds it has counted: to everyone each second, and to each
//! client as it connects. A client that sends `reset` has it start again for everyone.

use serde::{Deserialize, Serialize};
use stateroom_wasm::prelude::*;

const SECOND_MS: u32 = 1000;

/// The room. A timer rings once, so each ring sets the next. New code takes over what it has counted.
#[stateroom_wasm(carry_over)]
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Stopwatch {
    ticks: u64,
}

impl SimpleStateroomService for Stopwatch {
    fn new(_room_id: &str, context: &impl StateroomContext) -> Self {
        context.set_timer(SECOND_MS);
        Stopwatch { ticks: 0 }
    }

    fn connect(&mut self, client: ClientId, context: &impl StateroomContext) {
        context.send_message(client, &self.ticks.to_string());
    }

    fn message(&mut self, _client: ClientId, message: &str, context: &impl StateroomContext) {
        if message == "reset" {
            context.set_timer(SECOND_MS);
            self.ticks = 0;
            context.send_message(MessageRecipient::Broadcast, "0");
        }
    }

    fn timer(&mut self, context: &impl StateroomContext) {
        context.set_timer(SECOND_MS);
        self.ticks += 1;
        context.send_message(MessageRecipient::Broadcast, &self.ticks.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stateroom_wasm::{Sent, TestContext, assert_carries_over};

    #[test]
    fn each_second_is_counted_and_sets_the_next() {
        let context = TestContext::new();
        let mut room = Stopwatch::new("hall", &context);
        assert_eq!(context.timer_ms(), Some(1000));

        for second in ["1", "2"] {
            context.set_timer(0);
            room.timer(&context);
            assert_eq!(context.take(), [Sent::text(MessageRecipient::Broadcast, second)]);
            assert_eq!(context.timer_ms(), Some(1000));
        }
    }

    #[test]
    fn whoever_comes_later_hears_the_time() {
        let context = TestContext::new();
        let mut room = Stopwatch::new("hall", &context);
        room.timer(&context);
        context.take();

        room.connect(ClientId(1), &context);

        assert_eq!(context.take(), [Sent::text(ClientId(1), "1")]);
    }

    #[test]
    fn whoever_starts_it_again_starts_it_for_everyone() {
        let context = TestContext::new();
        let mut room = Stopwatch { ticks: 7 };

        room.message(ClientId(1), "nonsense", &context);
        assert_eq!((context.take(), context.timer_ms()), (vec![], None));
        room.message(ClientId(1), "reset", &context);

        assert_eq!(context.take(), [Sent::text(MessageRecipient::Broadcast, "0")]);
        assert_eq!(context.timer_ms(), Some(1000), "the first second is a whole one");
        assert_eq!(room, Stopwatch { ticks: 0 });
    }

    #[test]
    fn new_code_goes_on_counting() {
        assert_carries_over(&Stopwatch { ticks: 7 });
    }
}
