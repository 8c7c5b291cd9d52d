//! Writes what follows the user's item: one call of `stateroom_wasm::export_service!`.

use crate::parse;
use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};

/// The user's item, untouched, followed by the module's exports or by what is wrong with it.
pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let exports = match parse::service_name(arguments, item.clone()) {
        Ok(name) => exports(&name),
        Err(errors) => errors.into_compile_error(),
    };
    quote!(#item #exports)
}

/// The call that exports the service, and an exported macro that nobody calls. All exported macros
/// of a crate share one namespace, in whatever module they stand, so a second service is refused by
/// the compiler, on every target, and the macro's name tells why.
fn exports(name: &Ident) -> TokenStream {
    let only_one =
        Ident::new("a_crate_holds_one_service_so_give_each_service_its_own_crate", name.span());
    // On the name, so that the compiler says there that the type is not a service.
    let build = quote_spanned!(name.span()=> ::stateroom_wasm::boundary::build::<#name, _>);
    quote! {
        #[doc(hidden)]
        #[macro_export]
        macro_rules! #only_one { () => {}; }

        ::stateroom_wasm::export_service!(#build);
    }
}
