//! A service that does all that a room can, written for and built with the published crates of the
//! 0.2 generation.

use stateroom_wasm::prelude::*;

#[stateroom_wasm]
struct Everything;

impl SimpleStateroomService for Everything {
    fn new(_room_id: &str, _context: &impl StateroomContext) -> Self {
        Everything
    }

    fn connect(&mut self, client: ClientId, context: &impl StateroomContext) {
        let text = format!("joined {}", u32::from(client));
        context.send_message(MessageRecipient::Broadcast, &text);
    }

    fn disconnect(&mut self, client: ClientId, context: &impl StateroomContext) {
        let text = format!("left {}", u32::from(client));
        context.send_message(MessageRecipient::Broadcast, &text);
    }

    fn message(&mut self, client: ClientId, message: &str, context: &impl StateroomContext) {
        if let Some(text) = message.strip_prefix("all:") {
            context.send_message(MessageRecipient::Broadcast, text);
        } else if let Some(text) = message.strip_prefix("others:") {
            context.send_message(MessageRecipient::EveryoneExcept(client), text);
        } else if let Some(delay) = message.strip_prefix("timer:") {
            context.set_timer(delay.parse().expect("a number of milliseconds after `timer:`"));
        } else {
            context.send_message(client, message);
        }
    }

    fn binary(&mut self, client: ClientId, message: &[u8], context: &impl StateroomContext) {
        context.send_binary(client, message);
    }

    fn timer(&mut self, context: &impl StateroomContext) {
        context.send_message(MessageRecipient::Broadcast, "timer");
    }
}
