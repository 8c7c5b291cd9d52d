//! What `dev` and `serve` share: from settings to a server that runs modules.

use crate::{
    auth,
    config::{Config, ServiceConfig},
    failure::Failure,
    keeping::Durability,
    service_config,
    settings::{Bounds, Settings},
};
use anyhow::{Context, anyhow};
use stateroom_server::{RunningServer, Server, ServerConfig, lend_thread};
use stateroom_wasm_host::{HostConfig, WasmEngine, WasmHostFactory};
use std::{
    env,
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    path::PathBuf,
    sync::Arc,
};

/// The settings that hold: those of the command line over those of the file, over `defaults`.
pub(crate) fn settle(
    mut defaults: ServerConfig,
    file: &Config,
    command_line: &Settings,
) -> anyhow::Result<(ServerConfig, Bounds)> {
    let mut bounds = Bounds::default();
    file.settings().apply(&mut defaults, &mut bounds);
    command_line.apply(&mut defaults, &mut bounds);
    if defaults.heartbeat_timeout < defaults.heartbeat_interval {
        return Err(anyhow!(
            "heartbeat_timeout ({:?}) must be at least as long as heartbeat_interval ({:?})",
            defaults.heartbeat_timeout,
            defaults.heartbeat_interval
        )
        .context(Failure::Usage));
    }
    Ok((defaults, bounds))
}

/// The engine that runs every module of a server, whose rooms may be awake at once as `config` says.
pub(crate) fn engine(
    bounds: Bounds,
    config: &ServerConfig,
    service: &ServiceConfig,
    durable: bool,
) -> anyhow::Result<WasmEngine> {
    let rooms = config.max_awake_rooms.saturating_add(SPARE_SLOTS);
    let rooms = u32::try_from(rooms).unwrap_or(u32::MAX);
    // They cost what a guest computes in floating point, and only a replay needs them.
    let config = service_config::load(service)?;
    start(HostConfig { canonical_nans: durable, config, ..host_config(rooms, bounds) })
}

/// The engine of a tool, which has one room at a time, and the one that takes its place.
pub(crate) fn engine_for_tools(bounds: Bounds) -> anyhow::Result<WasmEngine> {
    start(HostConfig { prints_replays: true, ..host_config(2, bounds) })
}

fn host_config(max_rooms: u32, bounds: Bounds) -> HostConfig {
    HostConfig {
        limits: bounds.limits,
        replay_cpu_time: bounds.replay_cpu_time,
        max_rooms: Some(max_rooms),
        on_busy: Some(Arc::new(lend_thread)),
        cache_dir: cache_folder(),
        ..HostConfig::default()
    }
}

fn start(config: HostConfig) -> anyhow::Result<WasmEngine> {
    WasmEngine::new(config).context("the WebAssembly engine could not be started")
}

/// Where compiled modules are kept, so that a server starts at once: `stateroom/modules` in the
/// user's folder for such things. Without such a folder they are compiled each time.
fn cache_folder() -> Option<PathBuf> {
    let folder = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")))?;
    Some(caches.join("stateroom/modules"))
}

/// Slots of the engine's pool that are left to rooms whose event goes on beside the others.
const SPARE_SLOTS: usize = 128;

/// Begins to listen.
pub(crate) fn bind(
    mut config: ServerConfig,
    durability: &Durability,
    engine: &WasmEngine,
    factory: WasmHostFactory,
) -> anyhow::Result<RunningServer<WasmHostFactory>> {
    let held = usize::try_from(engine.max_rooms()).unwrap_or(usize::MAX);
    let most_awake = held.saturating_sub(SPARE_SLOTS).max(1);
    // The engine has told why it can be fewer than wanted.
    config.max_awake_rooms = config.max_awake_rooms.min(most_awake);
    config.thread_stack_bytes = Some(engine.thread_stack_bytes());
    if let Err(reason) = factory.can_sleep() {
        tracing::warn!(%reason, "the rooms of this module cannot sleep, so there can be {held} at most");
        // Past what the engine can hold, clients are told to try later.
        config.max_rooms = config.max_rooms.min(held);
    }
    auth::tell(&config);
    let address = SocketAddr::new(config.ip, config.port);
    let mut server = Server::new();
    server.config = config;
    server.dropped_log_lines = crate::dropped_log_lines_counter();
    let bound = match durability.open(engine, &factory)? {
        Some(keeping) => server.bind_keeping(factory, keeping),
        None => server.bind(factory),
    };
    bound.map_err(|error| explain(address, error))
}

/// Finds out whether the address can be listened on, before there is anything to serve there.
pub(crate) fn try_address(config: &ServerConfig) -> anyhow::Result<()> {
    let address = SocketAddr::new(config.ip, config.port);
    TcpListener::bind(address).map(drop).map_err(|error| explain(address, error))
}

fn explain(address: SocketAddr, error: io::Error) -> anyhow::Error {
    let port = address.port();
    match error.kind() {
        ErrorKind::AddrInUse => anyhow!(
            "another program listens on port {port} of {}: stop it, or choose another port with --port (0 takes any free one)",
            address.ip()
        )
        .context(Failure::AddressInUse),
        ErrorKind::StorageFull => anyhow::Error::new(error).context(Failure::StoreFailed),
        // What the server itself says: its store can't be read or written to.
        ErrorKind::Other => anyhow::Error::new(error).context(Failure::Store),
        _ => anyhow::Error::new(error).context(format!("could not listen on {address}")),
    }
}

/// Where a browser on this machine finds a server that listens on `address`.
pub(crate) fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
