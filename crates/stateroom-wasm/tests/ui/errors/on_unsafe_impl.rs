use stateroom_wasm::prelude::*;

struct Echo;

#[stateroom_wasm]
unsafe impl Send for Echo {}

fn main() {
    let _ = Echo;
}
