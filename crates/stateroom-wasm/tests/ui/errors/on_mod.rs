use stateroom_wasm::prelude::*;

#[stateroom_wasm]
mod service {
    pub struct Echo;
}

fn main() {
    let _ = service::Echo;
}
