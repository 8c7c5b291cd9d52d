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
/// It goes on a `struct`, an `enum` or a `type` alias, also an alias of a type of another crate,
/// and takes no arguments. The type must implement `SimpleStateroomService` and have no generic
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
/// A module holds one service, so the attribute can be used once in a crate. On a target other than
/// `wasm32` it only checks the type, so `cargo test` works as in any crate.
#[proc_macro_attribute]
pub fn stateroom_wasm(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(arguments.into(), item.into()).into()
}
