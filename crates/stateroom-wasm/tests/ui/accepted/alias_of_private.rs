//! Helpers, fields and methods that only the service uses are not dead code.

mod named {
    use std::collections::HashMap;
    use stateroom_wasm::{ClientId, StateroomContext};

    const GREETING: &str = "welcome";

    pub(super) struct Member {
        pub(super) name: String,
    }

    impl Member {
        pub(super) fn greet(&self) -> String {
            format!("{GREETING}, {}", self.name)
        }
    }

    pub(super) struct Chat {
        pub(super) members: HashMap<ClientId, Member>,
    }

    impl Chat {
        pub(super) fn greet_all(&self, context: &impl StateroomContext) {
            for (client, member) in &self.members {
                context.send_message(*client, &member.greet());
            }
        }
    }
}

use named::{Chat, Member};
use stateroom_wasm::prelude::*;

#[stateroom_wasm]
type Service = Chat;

impl SimpleStateroomService for Chat {
    fn new(_: &str, _: &impl StateroomContext) -> Self {
        Chat { members: Default::default() }
    }

    fn message(&mut self, client: ClientId, name: &str, context: &impl StateroomContext) {
        self.members.insert(client, Member { name: name.to_owned() });
        self.greet_all(context);
    }
}
