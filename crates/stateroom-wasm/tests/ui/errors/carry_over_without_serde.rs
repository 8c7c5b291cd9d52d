use stateroom_wasm::prelude::*;

#[stateroom_wasm(carry_over)]
struct Counter(u32);

impl SimpleStateroomService for Counter {
    fn new(_: &str, _: &impl StateroomContext) -> Self {
        Counter(0)
    }
}

fn main() {
    let _ = Counter(0).0;
}
