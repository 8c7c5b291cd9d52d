use serde::Serialize;
use stateroom_wasm::prelude::*;

#[derive(Serialize)]
#[stateroom_wasm(carry_over)]
struct Counter {
    count: u32,
}

impl SimpleStateroomService for Counter {
    fn new(_: &str, _: &impl StateroomContext) -> Self {
        Counter { count: 0 }
    }
}

fn main() {
    let _ = Counter { count: 0 }.count;
}
