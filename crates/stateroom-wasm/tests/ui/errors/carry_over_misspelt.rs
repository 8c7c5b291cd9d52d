use stateroom_wasm::prelude::*;

#[stateroom_wasm(carryover, carry_over = true)]
struct Echo;

impl SimpleStateroomService for Echo {
    fn new(_: &str, _: &impl StateroomContext) -> Self {
        Echo
    }
}

fn main() {
    let _ = Echo;
}
