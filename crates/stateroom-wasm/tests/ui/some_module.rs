//! A service in a library of its own, which is no module itself.

use stateroom_wasm::prelude::*;

pub struct SomeService;

impl SimpleStateroomService for SomeService {
    fn new(_: &str, _: &impl StateroomContext) -> Self {
        SomeService
    }
}
