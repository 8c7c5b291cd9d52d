use stateroom_wasm::prelude::*;

#[stateroom_wasm]
union Service {
    number: u32,
}

fn main() {
    let _ = Service { number: 1 };
}
