use stateroom_wasm::prelude::*;

#[stateroom_wasm]
type Service = std::collections::HashMap<u8, u8>;

fn main() {
    let _ = Service::new();
}
