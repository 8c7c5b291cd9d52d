#![no_implicit_prelude]

use ::serde::{Deserialize, Serialize};
use ::stateroom_wasm::typed::*;
use ::std::{string::String, string::ToString as _, time::Duration, vec::Vec};

#[derive(Serialize, Deserialize)]
#[stateroom_wasm(carry_over)]
struct Chat {
    said: Vec<String>,
}

#[derive(Deserialize)]
enum FromClient {
    Say { text: String },
}

#[derive(Serialize)]
enum ToClient {
    Said(String),
}

impl TypedService for Chat {
    type In = FromClient;
    type Out = ToClient;

    fn new(_: &str, _: &Room<Self>) -> Self {
        Chat { said: Vec::new() }
    }

    fn message(&mut self, from: ClientId, said: FromClient, room: &Room<Self>) {
        let FromClient::Say { text } = said;
        self.said.push(text);
        room.send(from, &ToClient::Said(self.said.len().to_string()));
        room.schedule("later", Duration::from_secs(1));
    }

    fn scheduled(&mut self, name: &str, room: &Room<Self>) {
        room.broadcast(&ToClient::Said(name.to_string()));
    }

    fn taken_over(&mut self, room: &Room<Self>) {
        room.broadcast(&ToClient::Said("new code".to_string()));
    }
}
