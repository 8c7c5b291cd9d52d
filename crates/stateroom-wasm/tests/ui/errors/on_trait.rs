use stateroom_wasm::prelude::*;

#[stateroom_wasm]
pub trait Service {
    fn hello(&self) {}
}

impl Service for u8 {}

fn main() {
    1_u8.hello();
}
