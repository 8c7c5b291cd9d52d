//! What is wrong with a value on the command line, in words that are not the standard library's.

use clap::error::{ContextKind, ContextValue};
use std::{
    error::Error,
    num::{IntErrorKind, ParseFloatError, ParseIntError},
};

/// The flag, as clap writes it, and the value that is wrong for it.
pub(crate) fn flag_and_value(error: &clap::Error) -> Option<(&str, &str)> {
    let text = |kind| match error.get(kind)? {
        ContextValue::String(text) => Some(text.as_str()),
        _ => None,
    };
    Some((text(ContextKind::InvalidArg)?, text(ContextKind::InvalidValue)?))
}

/// What is wrong with the value of a flag, if it had to be a number and is none.
pub(crate) fn no_number(error: &clap::Error) -> Option<String> {
    let (flag, value) = flag_and_value(error)?;
    let reason = no_number_because(error.source()?)?;
    Some(format!("invalid value '{value}' for '{flag}': {reason}"))
}

/// Why a value was not taken.
pub(crate) fn reason(error: &(dyn Error + 'static)) -> String {
    no_number_because(error).map_or_else(|| error.to_string(), str::to_owned)
}

fn no_number_because(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let kind = error.downcast_ref::<ParseIntError>().map(ParseIntError::kind);
    match kind {
        Some(IntErrorKind::PosOverflow) => Some("the number is too large"),
        Some(_) => Some("it must be a number"),
        None => error.is::<ParseFloatError>().then_some("it must be a number"),
    }
}
