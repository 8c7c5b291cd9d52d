//! The attribute `#[stateroom_wasm]`: one type becomes the service of a WebAssembly module.
//!
//! Use it through the crate [`stateroom-wasm`](https://docs.rs/stateroom-wasm), which holds the code
//! that the expansion calls. Here is only the reading of the user's item (`parse`) and the one line
//! written after it (`expand`).

mod expand;
mod parse;

use proc_macro::TokenStream;

/// Makes a type the service of the WebAssembly module that this crate is compiled to.
///
/// It goes on a `struct`, an `enum` or a `type` alias, also an alias of a type of another crate.
/// The type must implement `SimpleStateroomService`, or `TypedService`, and have no generic
/// parameters, or only such as have a default. The item itself is left as it is.
///
/// ```
/// use stateroom_wasm::prelude::*;
///
/// #[stateroom_wasm]
/// struct Echo;
///
/// impl SimpleStateroomService for Echo {
///     fn new(_room_id: &str, _context: &impl StateroomContext) -> Self {
///         Echo
///     }
///
///     fn message(&mut self, client: ClientId, message: &str, context: &impl StateroomContext) {
///         context.send_message(client, message);
///     }
/// }
/// ```
///
/// # Carrying state over to new code
///
/// What a room remembers is the memory of one module, which means nothing to another. With the
/// argument `carry_over`, new code takes over the state of the running rooms when it is deployed, and
/// their clients stay connected. The type must be one that [serde](https://serde.rs) can tell as JSON
/// and make again:
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use stateroom_wasm::prelude::*;
///
/// #[derive(Serialize, Deserialize)]
/// #[stateroom_wasm(carry_over)]
/// struct Counter {
///     count: u32,
///     /// Came with the second version. A state of the first has no such field, so it needs a default.
///     #[serde(default)]
///     highest: u32,
/// }
///
/// impl SimpleStateroomService for Counter {
///     fn new(_room_id: &str, _context: &impl StateroomContext) -> Self {
///         Counter { count: 0, highest: 0 }
///     }
/// }
/// ```
///
/// Right after that, the new code is called with `taken_over`, where it can set timers and tell everybody.
///
/// The old code tells its state with `Serialize`, which must not change it and has no context to send
/// with; the new code begins with what `Deserialize` makes of it, instead of with `new`. Where the
/// state does not fit, the log tells which field and what to do (``missing field `highest` ``: write
/// `#[serde(default)]` above it, or `#[serde(alias = "…")]` with the name that it had), and the old code goes
/// on, or under `stateroom dev` the room starts anew. Fields that the new code does not know are left out,
/// and the attributes of serde mean what they always do. `stateroom_wasm::assert_carries_over` tests that
/// all of a state is carried over. Code that has not opted in is no worse off: its modules have nothing of
/// this.
///
/// A module holds one service, so the attribute can be used once in a crate. On a target other than
/// `wasm32` it only checks the type, so `cargo test` works as in any crate.
#[proc_macro_attribute]
pub fn stateroom_wasm(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(arguments.into(), item.into()).into()
}
