//! Carrying a room over to new code: its state is told as JSON, and made of it again.
//!
//! Where the room has timers, a line for each follows: see [`Timers::to_lines`].

use crate::context::Context;
use serde::{
    Deserialize, Serialize,
    de::{DeserializeOwned, IgnoredAny},
};
use stateroom::{
    ServiceFailure, SimpleStateroomService, StateroomContext, StateroomService, Timers,
    WrappedStateroomService,
};
use std::collections::BTreeMap;

/// How many fields of a state are named at most.
const MOST_FIELDS: usize = 12;

/// How a service is started, and how it takes over: what `#[stateroom_wasm(carry_over)]` expands
/// to.
#[derive(Debug, Clone, Copy)]
pub struct CarriedOver {
    /// Starts it anew.
    pub build: fn(&str, Context) -> Box<dyn StateroomService>,
    /// Starts it with the state that another has told, or tells why not.
    pub take_over: TakeOver,
}

/// Starts a service with a state: the room's id, the state, the context.
pub type TakeOver = fn(&str, &[u8], Context) -> Result<Box<dyn StateroomService>, String>;

/// A type that can be told as JSON, and made of it again.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be carried over: it can't be told as JSON and made of it again",
    label = "`Serialize` or `Deserialize` is not implemented for `{Self}`",
    note = "write `#[derive(Serialize, Deserialize)]` above `{Self}`, with \
            `use serde::{{Serialize, Deserialize}};` and, in Cargo.toml, \
            `serde = {{ version = \"1\", features = [\"derive\"] }}`"
)]
pub trait CarryOver: Serialize + DeserializeOwned {}

#[diagnostic::do_not_recommend]
impl<S: Serialize + DeserializeOwned> CarryOver for S {}

/// Those of the service `S`.
#[must_use]
pub const fn carried_over<S: SimpleStateroomService + CarryOver + 'static>() -> CarriedOver {
    CarriedOver { build: build::<S, Context>, take_over: take_over::<S, Context> }
}

fn build<S, C>(room_id: &str, context: C) -> Box<dyn StateroomService>
where
    S: SimpleStateroomService + CarryOver + 'static,
    C: StateroomContext + 'static,
{
    Box::new(WrappedStateroomService::<S, C>::start(room_id, context).handing_over(hand_over))
}

fn take_over<S, C>(
    _room_id: &str,
    state: &[u8],
    context: C,
) -> Result<Box<dyn StateroomService>, String>
where
    S: SimpleStateroomService + CarryOver + 'static,
    C: StateroomContext + 'static,
{
    let (service, lines) = read::<S>(state)?;
    let timers = std::str::from_utf8(lines).map_err(|error| format!("the timers: {error}"))?;
    let service = WrappedStateroomService::taken_over(service, Timers::read(timers)?, context);
    Ok(Box::new(service.handing_over(hand_over)))
}

fn hand_over<S: CarryOver>(service: &S, timers: &Timers) -> Result<Vec<u8>, ServiceFailure> {
    let mut state = told(service)
        .map_err(|detail| ServiceFailure { summary: "the state is not JSON", detail })?;
    let lines = timers.to_lines();
    if !lines.is_empty() {
        state.push(b'\n');
        state.extend(lines.into_bytes());
    }
    Ok(state)
}

/// The state of a service, as JSON.
///
/// # Errors
/// Which field can't be told so, and what to do.
pub(crate) fn told(service: &impl Serialize) -> Result<Vec<u8>, String> {
    let mut state = Vec::new();
    let mut json = serde_json::Serializer::new(&mut state);
    match serde_path_to_error::serialize(service, &mut json) {
        Ok(()) => Ok(state),
        Err(error) => {
            let advice = match error.inner().to_string().contains("key must be") {
                true => {
                    "; JSON has only text, numbers and names for keys: keep a list of pairs instead"
                }
                false => "",
            };
            Err(format!("{}{advice}", at(error.path(), error.inner())))
        }
    }
}

/// The service that a state was told of.
///
/// # Errors
/// Which field doesn't fit, and the line that mends it.
pub(crate) fn made_of<S: DeserializeOwned>(state: &[u8]) -> Result<S, String> {
    let (service, rest) = read(state)?;
    match rest {
        [] => Ok(service),
        _ => Err("something follows the state".to_owned()),
    }
}

/// The same, and what comes after its line.
fn read<S: DeserializeOwned>(state: &[u8]) -> Result<(S, &[u8]), String> {
    let mut json = serde_json::Deserializer::from_slice(state);
    let service = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let what = error.inner().to_string();
        if what.starts_with("missing field") {
            return missing(error.path(), &what, state);
        }
        let advice = if what.contains("null, expected f") {
            "JSON has neither infinities nor NaN: keep an `Option` instead"
        } else {
            "where the type of a field has changed, give the field a new name and #[serde(default)]"
        };
        format!("{}; {advice}", at(error.path(), error.inner()))
    })?;
    let end = json.into_iter::<IgnoredAny>().byte_offset();
    let rest = state.get(end..).unwrap_or_default().trim_ascii_start();
    Ok((service, rest))
}

/// What to do about a field that is not in the state.
fn missing(path: &serde_path_to_error::Path, what: &str, state: &[u8]) -> String {
    // The place in the JSON tells nobody anything.
    let what = what.rsplit_once(" at line ").map_or(what, |(what, _)| what);
    let (place, fields) = match path.iter().next() {
        None => (String::new(), fields(state)),
        Some(_) => (format!("{path}: "), String::new()),
    };
    format!(
        "{place}{what}: if it is new, write #[serde(default)] above it; if it was called otherwise, \
         #[serde(alias = \"old_name\")]{fields} (docs/rooms.md tells how a room gets its old state back)"
    )
}

/// The fields that a state has, for whoever looks for the old name of one.
fn fields(state: &[u8]) -> String {
    // After it come the timers.
    let mut json = serde_json::Deserializer::from_slice(state);
    let Ok(fields) = BTreeMap::<String, IgnoredAny>::deserialize(&mut json) else {
        return String::new();
    };
    let names: Vec<&str> = fields.keys().take(MOST_FIELDS).map(String::as_str).collect();
    match names.len() {
        0 => "; the old state has no fields".to_owned(),
        1 => format!("; the old state has the field `{}`", names.concat()),
        _ if fields.len() > MOST_FIELDS => {
            format!("; the old state has the fields `{}` and others", names.join("`, `"))
        }
        _ => format!("; the old state has the fields `{}`", names.join("`, `")),
    }
}

/// An error with the field that it is about.
fn at(path: &serde_path_to_error::Path, error: &serde_json::Error) -> String {
    match path.iter().next() {
        None => error.to_string(),
        Some(_) => format!("{path}: {error}"),
    }
}
