mod first {
    use stateroom_wasm::prelude::*;

    #[stateroom_wasm]
    pub struct First;

    impl SimpleStateroomService for First {
        fn new(_: &str, _: &impl StateroomContext) -> Self {
            First
        }
    }
}

mod second {
    pub mod deeper {
        use stateroom_wasm::prelude::*;

        #[stateroom_wasm]
        pub enum Second {
            Only,
        }

        impl SimpleStateroomService for Second {
            fn new(_: &str, _: &impl StateroomContext) -> Self {
                Second::Only
            }
        }
    }
}

fn main() {
    let _ = (first::First, second::deeper::Second::Only);
}
