use stateroom_wasm::prelude::*;

/// The attribute has to be moved to the alias below.
#[stateroom_wasm]
struct OfType<T: Copy, U = u8>(T, U);

#[stateroom_wasm]
struct OfLifetime<'a>(&'a str);

#[stateroom_wasm]
enum OfConst<const N: usize> {
    Full([u8; N]),
}

#[stateroom_wasm]
type OfAlias<T> = Vec<T>;

fn main() {
    let _ = (OfType(1, 2), OfLifetime(""), OfConst::Full([]) as OfConst<0>, OfAlias::<u8>::new());
}
