//! A unit struct, made by a macro that passes its visibility and name on.

macro_rules! service {
    ($(#[$attribute:meta])* $visibility:vis $name:ident) => {
        $(#[$attribute])*
        $visibility struct $name;

        impl stateroom_wasm::SimpleStateroomService for $name {
            fn new(_: &str, _: &impl stateroom_wasm::StateroomContext) -> Self {
                $name
            }
        }
    };
}

service!(#[stateroom_wasm::stateroom_wasm] pub(crate) r#Echo);
