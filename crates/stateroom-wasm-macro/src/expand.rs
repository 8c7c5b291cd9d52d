//! Writes what follows the user's item: one call of a macro of `stateroom_wasm` that exports it.

use crate::parse::{self, Service};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};

/// The user's item, untouched, followed by the module's exports or by what is wrong with it.
pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let exports = match parse::service(arguments, item.clone()) {
        Ok(service) => exports(&service),
        Err(errors) => errors.into_compile_error(),
    };
    quote!(#item #exports)
}

/// The call that exports the service, and an exported macro that nobody calls. All exported macros
/// of a crate share one namespace, in whatever module they stand, so a second service is refused by
/// the compiler, on every target, and the macro's name tells why.
///
/// Both stand at the type's name, so that the compiler points there when the type is not a service
/// or not the only one; but as code of this macro, to which the lints of the user's crate don't apply.
fn exports(Service { name, carry_over }: &Service) -> TokenStream {
    let here = Span::call_site().located_at(name.span());
    let only_one = Ident::new("a_crate_holds_one_service_so_give_each_service_its_own_crate", here);
    let export = if *carry_over {
        quote_spanned! {here=>
            ::stateroom_wasm::export_carried_service!(
                ::stateroom_wasm::boundary::carried_over::<#name>()
            );
        }
    } else {
        quote_spanned! {here=>
            ::stateroom_wasm::export_service!(::stateroom_wasm::boundary::build::<#name, _>);
        }
    };
    quote_spanned! {here=>
        #[doc(hidden)]
        #[macro_export]
        macro_rules! #only_one { () => {}; }

        #export
    }
}
