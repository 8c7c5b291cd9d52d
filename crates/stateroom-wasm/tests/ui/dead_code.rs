use stateroom_wasm::prelude::*;

#[stateroom_wasm]
struct Chat {
    unread_field: u32,
}

impl Chat {
    fn uncalled_method(&self) {}
}

fn uncalled_function() {}

impl SimpleStateroomService for Chat {
    fn new(_: &str, _: &impl StateroomContext) -> Self {
        Chat { unread_field: 1 }
    }
}
