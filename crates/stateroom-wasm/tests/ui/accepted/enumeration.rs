//! An enum in a private module, with variants that it alone makes.

mod traffic {
    use stateroom_wasm::prelude::*;

    #[stateroom_wasm]
    #[derive(Clone, Copy)]
    pub(crate) enum Light {
        Red,
        Green { since: u32 },
    }

    impl Light {
        fn next(self) -> Light {
            match self {
                Light::Red => Light::Green { since: 1 },
                Light::Green { .. } => Light::Red,
            }
        }
    }

    impl SimpleStateroomService for Light {
        fn new(_: &str, _: &impl StateroomContext) -> Self {
            Light::Red
        }

        fn timer(&mut self, context: &impl StateroomContext) {
            *self = self.next();
            if let Light::Green { since } = self {
                context.set_timer(*since);
            }
        }
    }
}
