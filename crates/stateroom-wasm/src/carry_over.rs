//! Carrying a room over to new code: its state is told as JSON, and made of it again.

use crate::context::Context;
use serde::{Serialize, de::DeserializeOwned};
use stateroom::{
    ClientId, ServiceFailure, SimpleStateroomService, StateroomContext, StateroomService,
};

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
    let service = S::new(room_id, &context);
    Box::new(Telling { service, context })
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
    let service: S = serde_json::from_slice(state).map_err(|error| error.to_string())?;
    Ok(Box::new(Telling { service, context }))
}

/// A service that can tell its state.
struct Telling<S, C> {
    service: S,
    context: C,
}

impl<S: SimpleStateroomService + CarryOver, C: StateroomContext> StateroomService
    for Telling<S, C>
{
    fn connect(&mut self, client: ClientId) {
        self.service.connect(client, &self.context);
    }

    fn disconnect(&mut self, client: ClientId) {
        self.service.disconnect(client, &self.context);
    }

    fn message(&mut self, client: ClientId, message: &str) {
        self.service.message(client, message, &self.context);
    }

    fn binary(&mut self, client: ClientId, message: &[u8]) {
        self.service.binary(client, message, &self.context);
    }

    fn timer(&mut self) {
        self.service.timer(&self.context);
    }

    fn hand_over(&mut self) -> Option<Result<Vec<u8>, ServiceFailure>> {
        let state = serde_json::to_vec(&self.service).map_err(|error| ServiceFailure {
            summary: "the state is not JSON",
            detail: error.to_string(),
        });
        Some(state)
    }
}
