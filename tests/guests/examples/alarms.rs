//! A service with timers by name, which is carried over to new code.

use serde::{Deserialize, Serialize};
use stateroom_wasm::prelude::*;
use std::time::Duration;

/// Tells everybody when a timer is heard.
#[derive(Default, Serialize, Deserialize)]
#[stateroom_wasm(carry_over)]
pub struct Alarms {
    /// The timer that fails.
    poison: String,
    /// Whether new code fails at taking over.
    stays: bool,
}

impl SimpleStateroomService for Alarms {
    fn new(_: &str, _: &impl StateroomContext) -> Self {
        Alarms::default()
    }

    fn message(&mut self, _: ClientId, message: &str, context: &impl StateroomContext) {
        let number = |text: &str| text.parse::<u32>().expect("a number");
        match message.split(' ').collect::<Vec<_>>()[..] {
            ["schedule", name, ms] => {
                context.schedule(name, Duration::from_millis(number(ms).into()));
            }
            ["cancel", name] => context.cancel(name),
            ["timer", ms] => context.set_timer(number(ms)),
            ["poison", name] => name.clone_into(&mut self.poison),
            ["stay"] => self.stays = true,
            _ => panic!("what is `{message}`?"),
        }
    }

    fn timer(&mut self, context: &impl StateroomContext) {
        context.send_message(MessageRecipient::Broadcast, "the timer");
    }

    fn scheduled(&mut self, name: &str, context: &impl StateroomContext) {
        assert!(name != self.poison, "it fails, as told");
        context.send_message(MessageRecipient::Broadcast, name);
    }

    fn taken_over(&mut self, context: &impl StateroomContext) {
        assert!(!self.stays, "the old code is to stay");
        context.send_message(MessageRecipient::Broadcast, "new code");
        context.schedule("new", Duration::from_millis(700));
    }
}
