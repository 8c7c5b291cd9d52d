//! A tuple struct that nothing else in the crate refers to.

use stateroom_wasm::prelude::*;

#[stateroom_wasm]
struct Counter(i32);

impl SimpleStateroomService for Counter {
    fn new(_room_id: &str, _: &impl StateroomContext) -> Self {
        Counter(0)
    }

    fn message(&mut self, _: ClientId, message: &str, context: &impl StateroomContext) {
        self.0 += if message == "+" { 1 } else { -1 };
        context.send_message(MessageRecipient::Broadcast, &self.0.to_string());
    }
}
