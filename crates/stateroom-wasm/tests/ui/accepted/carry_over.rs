#![no_implicit_prelude]

use ::serde::{Deserialize, Serialize};
use ::stateroom_wasm::prelude::*;
use ::std::{collections::BTreeMap, string::String};

#[derive(Serialize, Deserialize)]
#[stateroom_wasm(carry_over)]
pub struct Chat {
    people: BTreeMap<u32, String>,
    #[serde(default)]
    count: u32,
}

impl SimpleStateroomService for Chat {
    fn new(_: &str, _: &impl StateroomContext) -> Self {
        Chat { people: BTreeMap::new(), count: 0 }
    }

    fn connect(&mut self, client: ClientId, context: &impl StateroomContext) {
        self.count += 1;
        context.send_message(client, self.people.get(&client.0).map_or("", |name| name));
    }
}
