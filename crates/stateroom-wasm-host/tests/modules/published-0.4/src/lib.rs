//! A service that does all that a room can, written for and built with the published crates of the
//! 0.4 generation.

use stateroom_wasm::{
    stateroom_wasm, ClientId, MessagePayload, MessageRecipient, StateroomContext, StateroomService,
};

#[stateroom_wasm]
#[derive(Default)]
struct Everything;

impl StateroomService for Everything {
    fn connect(&mut self, client: ClientId, context: &impl StateroomContext) {
        let text = format!("joined {}", u32::from(client));
        context.send_message(MessageRecipient::Broadcast, text);
    }

    fn disconnect(&mut self, client: ClientId, context: &impl StateroomContext) {
        let text = format!("left {}", u32::from(client));
        context.send_message(MessageRecipient::Broadcast, text);
    }

    fn message(
        &mut self,
        client: ClientId,
        message: MessagePayload,
        context: &impl StateroomContext,
    ) {
        let Some(text) = message.text() else {
            return context.send_message(client, message);
        };
        if let Some(text) = text.strip_prefix("all:") {
            context.send_message(MessageRecipient::Broadcast, text);
        } else if let Some(text) = text.strip_prefix("others:") {
            context.send_message(MessageRecipient::EveryoneExcept(client), text);
        } else if let Some(delay) = text.strip_prefix("timer:") {
            context.set_timer(delay.parse().expect("a number of milliseconds after `timer:`"));
        } else {
            context.send_message(client, text);
        }
    }

    fn timer(&mut self, context: &impl StateroomContext) {
        context.send_message(MessageRecipient::Broadcast, "timer");
    }
}
