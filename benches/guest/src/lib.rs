//! The service that the measurements run: it echoes, or broadcasts where the room's name says so.

use stateroom_wasm::prelude::*;
use std::{collections::BTreeSet, hint::black_box};

/// Remembers who is there and what was said last, as any real room would.
#[stateroom_wasm]
pub struct Bench {
    broadcast: bool,
    clients: BTreeSet<ClientId>,
    messages: u64,
    last: String,
}

impl SimpleStateroomService for Bench {
    fn new(room_id: &str, _: &impl StateroomContext) -> Self {
        Bench {
            broadcast: room_id.starts_with("broadcast"),
            clients: BTreeSet::new(),
            messages: 0,
            last: String::new(),
        }
    }

    fn connect(&mut self, client: ClientId, _: &impl StateroomContext) {
        self.clients.insert(client);
    }

    fn disconnect(&mut self, client: ClientId, _: &impl StateroomContext) {
        self.clients.remove(&client);
    }

    fn message(&mut self, client: ClientId, message: &str, context: &impl StateroomContext) {
        match message {
            "spin" => spin(),
            "recall" => return context.send_message(client, &self.last),
            _ => {}
        }
        self.messages += 1;
        message.clone_into(&mut self.last);
        if self.broadcast {
            context.send_message(MessageRecipient::Broadcast, message);
        } else {
            context.send_message(client, message);
        }
    }
}

fn spin() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}
