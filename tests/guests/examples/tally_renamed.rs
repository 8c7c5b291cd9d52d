//! The tally, with a field of another name, so that it can't go on with an older state.

use serde::{Deserialize, Serialize};
use stateroom_wasm::prelude::*;
use std::collections::BTreeMap;

/// Counts what each client says.
#[derive(Default, Serialize, Deserialize)]
#[stateroom_wasm(carry_over)]
pub struct Tally {
    total: u32,
    by_client: BTreeMap<u32, u32>,
}

impl SimpleStateroomService for Tally {
    fn new(_: &str, context: &impl StateroomContext) -> Self {
        context.send_message(MessageRecipient::Broadcast, "a tally begins");
        Tally::default()
    }

    fn message(&mut self, client: ClientId, message: &str, context: &impl StateroomContext) {
        self.total += 1;
        *self.by_client.entry(client.0).or_default() += 1;
        context.send_message(client, &format!("{message}: {}", self.total));
    }
}
