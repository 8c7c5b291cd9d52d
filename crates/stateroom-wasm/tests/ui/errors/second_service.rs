use stateroom_wasm::prelude::*;

#[stateroom_wasm]
struct First;

impl SimpleStateroomService for First {
    fn new(_: &str, _: &impl StateroomContext) -> Self {
        First
    }
}

#[stateroom_wasm]
struct Second;

impl SimpleStateroomService for Second {
    fn new(_: &str, _: &impl StateroomContext) -> Self {
        Second
    }
}

fn main() {
    let _ = (First, Second);
}
