//! Nothing of the standard library has a name here.
#![no_implicit_prelude]

use ::stateroom_wasm::prelude::*;

#[stateroom_wasm]
struct Echo;

impl SimpleStateroomService for Echo {
    fn new(_: &str, _: &impl StateroomContext) -> Self {
        Echo
    }
}
