//! Brings rooms that are kept back to life, for tools: with their own code, and without a server.

use crate::{
    config::Config,
    failure::Failure,
    serving,
    settings::{Bounds, LimitSettings, Settings},
    short,
};
use anyhow::{Context, anyhow};
use serde_json::Value;
use stateroom::{Birth, StateroomService, StateroomServiceFactory, Timers};
use stateroom_room::{ReturnFailure, Room, RoomContext, Timestamp};
use stateroom_server::ServerConfig;
use stateroom_store::{ExportedRoom, Vitals};
use stateroom_wasm_host::{StartError, WasmHost, WasmHostFactory};
use std::time::SystemTime;

/// Loads the module of a room, with the limits of the file, and those of the command line over them.
pub(crate) fn load(
    exported: &ExportedRoom,
    file: &Config,
    command_line: &LimitSettings,
) -> anyhow::Result<WasmHostFactory> {
    let mut bounds = Bounds::default();
    let command_line = Settings { limits: command_line.clone(), ..Settings::default() };
    for settings in [file.settings(), command_line] {
        settings.apply(&mut ServerConfig::default(), &mut bounds);
    }
    let name = format!("the module of the room {}", short::name(&exported.room));
    serving::engine_for_tools(bounds)?.load_kept(&name, &exported.module).context(Failure::Module)
}

/// The room as it was at its snapshot.
pub(crate) fn begin(
    exported: &ExportedRoom,
    factory: &WasmHostFactory,
) -> anyhow::Result<Room<WasmHost>> {
    let snapshot = &exported.stored.snapshot;
    Room::restore(factory, &exported.room, snapshot.at, &snapshot.state)
        .map_err(|failure| explain(exported, &failure))
}

/// The room as it was after its last event.
pub(crate) fn bring_back(
    exported: &ExportedRoom,
    factory: &WasmHostFactory,
) -> anyhow::Result<Room<WasmHost>> {
    let mut room = begin(exported, factory)?;
    for part in &exported.stored.tail {
        room.replay(part.follows, &part.records).map_err(|failure| explain(exported, &failure))?;
    }
    Ok(room)
}

/// What it means that a room can't be brought back.
pub(crate) fn explain(
    exported: &ExportedRoom,
    failure: &ReturnFailure<StartError>,
) -> anyhow::Error {
    let error =
        anyhow!("the room {} cannot be brought back: {failure}", short::name(&exported.room));
    match failure {
        ReturnFailure::Diverged { .. } => error.context(Failure::Diverged),
        _ => error,
    }
}

/// What a service tells of itself.
pub(crate) struct ServiceState {
    pub(crate) state: Value,
    pub(crate) timers: Timers,
}

/// The state of the service, where it tells it; `None` where it has not opted in to that.
pub(crate) fn service_state(room: &mut Room<WasmHost>) -> anyhow::Result<Option<ServiceState>> {
    let Some(told) = room.service_mut().hand_over() else { return Ok(None) };
    let told =
        told.map_err(|failure| anyhow!("the service could not tell its state: {failure}"))?;
    let mut values = serde_json::Deserializer::from_slice(&told).into_iter();
    let state = values.next().unwrap_or(Ok(Value::Null));
    let state = state.context("what the service tells is no JSON")?;
    let lines = told.get(values.byte_offset()..).unwrap_or_default();
    let timers = Timers::read(&String::from_utf8_lossy(lines))
        .map_err(|line| anyhow!("what the service tells after its state are no timers: {line}"))?;
    Ok(Some(ServiceState { state, timers }))
}

/// What the store is told of a room beside its state.
pub(crate) fn vitals(room: &Room<WasmHost>) -> Vitals {
    let wake_at = room.deadline().map(Timestamp::nanoseconds);
    let clients = u32::try_from(room.member_count()).unwrap_or(u32::MAX);
    Vitals { wake_at, clients, heard_at: room.heard_at().nanoseconds() }
}

/// What a service of `factory` is born with now.
pub(crate) fn birth(factory: &WasmHostFactory) -> anyhow::Result<Birth> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)
        .map_err(|error| anyhow!("the system gives no randomness: {error}"))?;
    // A clock before 1970 is wrong, and a room's time never goes back anyway.
    let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Ok(Birth { time, seed, limits: StateroomServiceFactory::<RoomContext>::limits(factory) })
}
