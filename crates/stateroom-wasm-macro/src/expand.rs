//! Writes what follows the user's item: one call of `stateroom_wasm::export_service!`.

use crate::parse;
use proc_macro2::TokenStream;
use quote::quote;

/// The user's item, untouched, followed by the module's exports or by what is wrong with it.
pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let exports = match parse::service_name(arguments, item.clone()) {
        Ok(name) => quote!(::stateroom_wasm::export_service!(#name);),
        Err(errors) => errors.into_compile_error(),
    };
    quote!(#item #exports)
}
