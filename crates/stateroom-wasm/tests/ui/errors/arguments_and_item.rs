use stateroom_wasm::prelude::*;

#[stateroom_wasm(first, second)]
struct Echo<T>(T);

#[stateroom_wasm(third)]
fn service() {}

fn main() {
    let _ = Echo(1);
    service();
}
