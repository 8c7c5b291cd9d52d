//! Settings from the environment: a wrong value is told with its variable, and a variable that means nothing
//! is named.

use crate::{
    config::nearest,
    options::Options,
    setting_table::{self, PREFIX},
    usage,
};
use clap::{
    Command, CommandFactory,
    error::{ContextKind, ContextValue},
};
use std::{collections::BTreeSet, env, error::Error};

/// What is wrong with a variable, if that is what `error` comes from: clap tells it of the flag.
pub(crate) fn wrong_value(error: &clap::Error) -> Option<String> {
    let (flag, value) = usage::flag_and_value(error)?;
    let name = flag.strip_prefix("--")?.split([' ', '[', '=']).next()?;
    let flag = format!("--{name}");
    let is_flag = |given: &str| given.split('=').next() == Some(&flag);
    if env::args_os().any(|given| is_flag(&given.to_string_lossy())) {
        return None;
    }
    let variable = setting_table::variable(&name.replace('-', "_"));
    if !env::var(&variable).ok()?.contains(value) {
        return None;
    }
    let reason = match (error.source(), error.get(ContextKind::ValidValue)) {
        (Some(reason), _) => usage::reason(reason),
        (None, Some(ContextValue::Strings(valid))) => format!("it can be {}", valid.join(", ")),
        _ => "it cannot be that".to_owned(),
    };
    Some(format!("the variable {variable} has the value '{value}': {reason}"))
}

/// Warns of variables that are named like settings and are none.
pub(crate) fn warn_of_unknown() {
    let known = known();
    for (name, _) in env::vars_os() {
        let Some(name) = name.to_str() else { continue };
        if name.starts_with(PREFIX) && !known.contains(name) {
            tracing::warn!("{}", unknown(name, &known));
        }
    }
}

fn unknown(name: &str, known: &BTreeSet<String>) -> String {
    let known: Vec<String> = known.iter().map(|name| name.to_lowercase()).collect();
    match nearest(name, &known) {
        Some(nearest) => {
            format!("the variable {name} is no setting: did you mean {}?", nearest.to_uppercase())
        }
        None => format!("the variable {name} is no setting; `stateroom serve --help` has them all"),
    }
}

/// Every variable that is a setting of some command.
fn known() -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    collect(&Options::command(), &mut known);
    known
}

fn collect(command: &Command, known: &mut BTreeSet<String>) {
    let variables = command.get_arguments().filter_map(|argument| argument.get_env());
    known.extend(variables.map(|name| name.to_string_lossy().into_owned()));
    for subcommand in command.get_subcommands() {
        collect(subcommand, known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_variable_is_told_the_nearest() {
        let known = known();
        for (name, told) in [
            ("STATEROOM_PROT", "did you mean STATEROOM_PORT?"),
            ("STATEROOM_MAX_MESSAGE_SIZE", "did you mean STATEROOM_MAX_MESSAGE_BYTES?"),
            ("STATEROOM_DATADIR", "did you mean STATEROOM_DATA_DIR?"),
        ] {
            let said = unknown(name, &known);
            assert!(said.contains(name) && said.ends_with(told), "{said}");
        }
    }
}
