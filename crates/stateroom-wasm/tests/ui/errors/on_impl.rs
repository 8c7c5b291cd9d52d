use stateroom_wasm::prelude::*;

struct Echo;

#[stateroom_wasm]
impl SimpleStateroomService for Echo {
    fn new(_: &str, _: &impl StateroomContext) -> Self {
        Echo
    }
}

impl Echo {
    fn hello(&self) {}
}

fn service() -> impl SimpleStateroomService {
    Echo.hello();
    Echo
}

fn main() {
    service();
}
