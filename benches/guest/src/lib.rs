//! The service that the measurements run: it echoes, and spins when told to.

use stateroom_wasm::prelude::*;
use std::{collections::BTreeSet, hint::black_box};

/// Remembers who is there, as any real room would.
#[stateroom_wasm]
pub struct Echo {
    clients: BTreeSet<ClientId>,
}

impl SimpleStateroomService for Echo {
    fn new(_: &str, _: &impl StateroomContext) -> Self {
        Echo { clients: BTreeSet::new() }
    }

    fn connect(&mut self, client: ClientId, _: &impl StateroomContext) {
        self.clients.insert(client);
    }

    fn disconnect(&mut self, client: ClientId, _: &impl StateroomContext) {
        self.clients.remove(&client);
    }

    fn message(&mut self, client: ClientId, message: &str, context: &impl StateroomContext) {
        if message == "spin" {
            let mut turns = 0_u64;
            loop {
                turns = black_box(turns.wrapping_add(1));
            }
        }
        context.send_message(client, message);
    }
}
