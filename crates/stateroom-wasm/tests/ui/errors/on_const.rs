use stateroom_wasm::prelude::*;

#[stateroom_wasm]
pub(crate) const SERVICE: u32 = 1;

#[stateroom_wasm]
static OTHER: u32 = 1;

#[stateroom_wasm]
use std::collections as stays;

fn main() {
    let _ = (SERVICE, OTHER, stays::HashMap::<u8, u8>::new());
}
