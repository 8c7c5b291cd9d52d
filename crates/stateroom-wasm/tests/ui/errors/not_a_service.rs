use stateroom_wasm::prelude::*;

#[stateroom_wasm]
#[derive(Default)]
pub struct Echo;

fn main() {
    let _ = Echo::default();
}
