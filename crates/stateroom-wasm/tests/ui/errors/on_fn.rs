use stateroom_wasm::prelude::*;

#[stateroom_wasm]
fn service() {}

fn main() {
    service();
}
