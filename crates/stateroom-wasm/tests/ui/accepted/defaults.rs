//! Parameters with a default: the service is the type that the bare name means.

use stateroom_wasm::prelude::*;

#[stateroom_wasm]
struct Counters<T = u32, const N: usize = 2> {
    counts: [T; N],
}

impl SimpleStateroomService for Counters {
    fn new(_: &str, _: &impl StateroomContext) -> Self {
        Counters { counts: [0, 0] }
    }

    fn timer(&mut self, context: &impl StateroomContext) {
        self.counts[1] += 1;
        context.set_timer(self.counts[1]);
    }
}
