//! The tally, with a field more, which has a default.

use serde::{Deserialize, Serialize};
use stateroom_wasm::prelude::*;
use std::collections::BTreeMap;

/// Counts what each client says.
#[derive(Default, Serialize, Deserialize)]
#[stateroom_wasm(carry_over)]
pub struct Tally {
    count: u32,
    by_client: BTreeMap<u32, u32>,
    #[serde(default)]
    longest: usize,
}

impl SimpleStateroomService for Tally {
    fn new(_: &str, context: &impl StateroomContext) -> Self {
        context.send_message(MessageRecipient::Broadcast, "a tally begins");
        Tally::default()
    }

    fn message(&mut self, client: ClientId, message: &str, context: &impl StateroomContext) {
        self.count += 1;
        *self.by_client.entry(client.0).or_default() += 1;
        self.longest = self.longest.max(message.len());
        context.send_message(client, &format!("{message}: {}", self.count));
    }
}
