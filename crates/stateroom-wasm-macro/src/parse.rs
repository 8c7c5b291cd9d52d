//! Reads the attribute's arguments and the head of the item it stands on.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Error, GenericParam, Generics, Ident, Result, Token, Visibility};

/// What the user has asked for.
pub(crate) struct Service {
    /// The name of the type that the attribute stands on.
    pub(crate) name: Ident,
    /// Whether its state is carried over to new code.
    pub(crate) carry_over: bool,
}

/// Reads the arguments and the item.
///
/// # Errors
/// Everything that is wrong with the arguments and the item, each on the user's own token.
pub(crate) fn service(arguments: TokenStream, item: TokenStream) -> Result<Service> {
    let carry_over = says_carry_over(arguments);
    let name = item_name.parse2(item);
    match (carry_over, name) {
        (Ok(carry_over), name) => Ok(Service { name: name?, carry_over }),
        (Err(error), Ok(_)) => Err(error),
        (Err(mut errors), Err(error)) => {
            errors.combine(error);
            Err(errors)
        }
    }
}

/// Whether `carry_over` is among the comma-separated arguments. Refuses each other.
fn says_carry_over(arguments: TokenStream) -> Result<bool> {
    let arguments: Vec<TokenTree> = arguments.into_iter().collect();
    let is_comma =
        |token: &TokenTree| matches!(token, TokenTree::Punct(mark) if mark.as_char() == ',');
    let is_carry_over = |argument: &&[TokenTree]| matches!(argument, [TokenTree::Ident(word)] if word == "carry_over");
    let arguments = arguments.split(is_comma).filter(|argument| !argument.is_empty());
    let (carry_over, unknown): (Vec<_>, Vec<_>) = arguments.partition(is_carry_over);
    unknown
        .into_iter()
        .map(|argument| {
            let argument: TokenStream = argument.iter().cloned().collect();
            let message = format!(
                "unknown argument `{argument}`: `#[stateroom_wasm]` takes `carry_over` or nothing"
            );
            Error::new_spanned(argument, message)
        })
        .reduce(|mut errors, error| {
            errors.combine(error);
            errors
        })
        .map_or(Ok(!carry_over.is_empty()), Err)
}

/// Reads as much of the item as tells whether it can be a service; its body is left to the compiler.
fn item_name(input: ParseStream) -> Result<Ident> {
    input.call(Attribute::parse_outer)?;
    input.parse::<Visibility>()?;

    let keyword = input.lookahead1();
    if keyword.peek(Token![struct]) {
        input.parse::<Token![struct]>()?;
    } else if keyword.peek(Token![enum]) {
        input.parse::<Token![enum]>()?;
    } else if keyword.peek(Token![type]) {
        input.parse::<Token![type]>()?;
    } else {
        return Err(not_a_type(input));
    }

    let name: Ident = input.parse()?;
    let generics: Generics = input.parse()?;
    let name = if generics.params.iter().all(has_default) {
        Ok(name)
    } else {
        Err(generic(&name, &generics))
    };
    input.parse::<TokenStream>()?;
    name
}

fn not_a_type(input: ParseStream) -> Error {
    let advice = if input.peek(Token![impl]) || input.peek2(Token![impl]) {
        "; put it on the type's definition, not on its `impl`"
    } else {
        ""
    };
    let span = input.cursor().token_tree().map_or_else(Span::call_site, |(token, _)| token.span());
    Error::new(
        span,
        format!(
            "`#[stateroom_wasm]` goes on the `struct`, `enum` or `type` alias that is the service{advice}"
        ),
    )
}

/// Whether the type is a concrete one when it is named without this parameter.
fn has_default(parameter: &GenericParam) -> bool {
    match parameter {
        GenericParam::Type(parameter) => parameter.default.is_some(),
        GenericParam::Const(parameter) => parameter.default.is_some(),
        _ => false,
    }
}

fn generic(name: &Ident, generics: &Generics) -> Error {
    Error::new_spanned(
        generics.to_token_stream(),
        format!(
            "a module holds one service of one concrete type, so `{name}` can't have generic \
             parameters without a default; remove them, or put `#[stateroom_wasm]` on an alias such as \
             `type Service = {name}<...>;`"
        ),
    )
}
