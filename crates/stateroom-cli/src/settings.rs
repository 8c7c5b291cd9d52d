//! The settings of a running server. Each is a command line flag, an environment variable and a
//! key of `stateroom.toml` at once; one that is not given anywhere keeps the default of the crate
//! that it belongs to.

use crate::{HumanDuration, HumanSize, host::Host, survives::SurvivesOption};
use clap::Args;
use serde::Deserialize;
use stateroom_server::{RoomPath, RoomPattern, ServerConfig, TrustedProxy};
use stateroom_wasm_host::Limits;
use std::{path::PathBuf, time::Duration};

/// What `[server]` in `stateroom.toml` holds.
#[derive(Debug, Clone, Default, PartialEq, Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[command(next_help_heading = "Server ([server] in stateroom.toml)")]
pub struct ServerSettings {
    /// Address to listen on, or a name such as localhost [default: 127.0.0.1 for dev, 0.0.0.0 for serve]
    #[arg(long, env = "STATEROOM_HOST", value_name = "HOST", hide_env = true)]
    pub host: Option<Host>,
    /// Port to listen on; 0 takes any free one [default: 8080]
    #[arg(long, short, env = "STATEROOM_PORT", hide_env = true)]
    pub port: Option<u16>,
    /// Proxies in front, as IP addresses or networks, that are believed when they tell with
    /// X-Forwarded-For where a client comes from
    #[arg(
        long,
        env = "STATEROOM_TRUSTED_PROXIES",
        value_name = "IP,...",
        value_delimiter = ',',
        hide_env = true
    )]
    pub trusted_proxies: Option<Vec<TrustedProxy>>,
    /// Other paths that open rooms, such as /parties/main/{room}; /ws/{room} always does
    #[arg(
        long,
        env = "STATEROOM_ROOM_PATHS",
        value_name = "PATH,PATH",
        value_delimiter = ',',
        hide_env = true
    )]
    pub room_paths: Option<Vec<RoomPath>>,
    /// Which WebSocket subprotocols are answered, the first of these that a client offers; without it, the
    /// first that it offers, whichever
    #[arg(
        long,
        env = "STATEROOM_SUBPROTOCOLS",
        value_name = "NAME,NAME",
        value_delimiter = ',',
        hide_env = true
    )]
    pub subprotocols: Option<Vec<String>>,
    /// How long a client may be silent before it is pinged [default: 25s]
    #[arg(
        long,
        short = 'i',
        env = "STATEROOM_HEARTBEAT_INTERVAL",
        value_name = "TIME",
        hide_env = true
    )]
    pub heartbeat_interval: Option<HumanDuration>,
    /// How long a client may be silent before it is taken for dead [default: 60s]
    #[arg(
        long,
        short = 't',
        env = "STATEROOM_HEARTBEAT_TIMEOUT",
        value_name = "TIME",
        hide_env = true
    )]
    pub heartbeat_timeout: Option<HumanDuration>,
    /// How many clients may be connected at once [default: 100000]
    #[arg(long, env = "STATEROOM_MAX_CLIENTS", value_name = "N", hide_env = true)]
    pub max_clients: Option<usize>,
    /// How many connections of every kind may be open at once, clients included; fewer where the limit on
    /// open files says so [default: 110000]
    #[arg(long, env = "STATEROOM_MAX_CONNECTIONS", value_name = "N", hide_env = true)]
    pub max_connections: Option<usize>,
    /// The largest message that a client may send [default: 1MiB]
    #[arg(long, env = "STATEROOM_MAX_MESSAGE_BYTES", value_name = "SIZE", hide_env = true)]
    pub max_message_bytes: Option<HumanSize>,
    /// How much of messages that have not come whole is held for all clients together [default: 64MiB]
    #[arg(long, env = "STATEROOM_MAX_UNFINISHED_BYTES", value_name = "SIZE", hide_env = true)]
    pub max_unfinished_bytes: Option<HumanSize>,
    /// How much may wait for a client that reads too slowly [default: 1 MiB]
    #[arg(long, env = "STATEROOM_MAX_QUEUE_BYTES", value_name = "SIZE", hide_env = true)]
    pub max_queue_bytes: Option<HumanSize>,
    /// How long a client that something waits for may read nothing at all [default: 10s]
    #[arg(long, env = "STATEROOM_SLOW_READER_TIMEOUT", value_name = "TIME", hide_env = true)]
    pub slow_reader_timeout: Option<HumanDuration>,
    /// How long a client may take to read what was sent before it is closed, and to close [default: 5s]
    #[arg(long, env = "STATEROOM_CLOSING_TIMEOUT", value_name = "TIME", hide_env = true)]
    pub closing_timeout: Option<HumanDuration>,
    /// How long a request or a download over plain HTTP may make no progress [default: 30s]
    #[arg(long, env = "STATEROOM_HTTP_STALL_TIMEOUT", value_name = "TIME", hide_env = true)]
    pub http_stall_timeout: Option<HumanDuration>,
    /// How many threads have rooms; 0 takes one for each core [default: 0]
    #[arg(long, env = "STATEROOM_SHARDS", value_name = "N", hide_env = true)]
    pub shards: Option<usize>,
    /// How long a shutdown waits for clients to close [default: 5s]
    #[arg(long, env = "STATEROOM_SHUTDOWN_TIMEOUT", value_name = "TIME", hide_env = true)]
    pub shutdown_timeout: Option<HumanDuration>,
    /// How often the log tells how many rooms are awake, asleep and on disk, if that has changed; 0s is
    /// never [default: 1m]
    #[arg(long, env = "STATEROOM_LOG_ROOMS_EVERY", value_name = "TIME", hide_env = true)]
    pub log_rooms_every: Option<HumanDuration>,
}

/// What `[rooms]` in `stateroom.toml` holds.
#[derive(Debug, Clone, Default, PartialEq, Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[command(next_help_heading = "Rooms ([rooms] in stateroom.toml)")]
pub struct RoomSettings {
    /// How many rooms may exist at once [default: 1000000]
    #[arg(long, env = "STATEROOM_MAX_ROOMS", value_name = "N", hide_env = true)]
    pub max_rooms: Option<usize>,
    /// How many clients one room may have at once [default: 10000]
    #[arg(long, env = "STATEROOM_MAX_CLIENTS_PER_ROOM", value_name = "N", hide_env = true)]
    pub max_clients_per_room: Option<usize>,
    /// How long a room stays in memory after its last client left; an ephemeral one ends then
    /// [default: 30s]
    #[arg(long, env = "STATEROOM_EMPTY_ROOM_TIMEOUT", value_name = "TIME", hide_env = true)]
    pub empty_room_timeout: Option<HumanDuration>,
    /// How long a room that hears nothing stays awake; its clients do not notice [default: 10s]
    #[arg(long, env = "STATEROOM_SLEEP_AFTER", value_name = "TIME", hide_env = true)]
    pub sleep_after: Option<HumanDuration>,
    /// How long a room sleeps in memory before it is left to the disk alone [default: 5m]
    #[arg(long, env = "STATEROOM_HIBERNATE_AFTER", value_name = "TIME", hide_env = true)]
    pub hibernate_after: Option<HumanDuration>,
    /// How long clients with a token may take to come back after a restart before their room hears
    /// that they left [default: 10s]
    #[arg(long, env = "STATEROOM_RECONNECT_TIMEOUT", value_name = "TIME", hide_env = true)]
    pub reconnect_timeout: Option<HumanDuration>,
    /// How long after its last client left a room is forgotten that has no timer, with all that is kept
    /// of it; 0s is never [default: 0s]
    #[arg(long, env = "STATEROOM_FORGET_AFTER", value_name = "TIME", hide_env = true)]
    pub forget_after: Option<HumanDuration>,
    /// Rooms that are forgotten as soon as nobody is in them, such as those of `stateroom load`
    /// [default: load-{number} for dev, none for serve]
    #[arg(
        long,
        env = "STATEROOM_TEMPORARY_ROOMS",
        value_name = "ID,ID",
        value_delimiter = ',',
        hide_env = true
    )]
    pub temporary_rooms: Option<Vec<RoomPattern>>,
    /// How many rooms are awake at once; the others sleep [default: 4000]
    #[arg(long, env = "STATEROOM_MAX_AWAKE_ROOMS", value_name = "N", hide_env = true)]
    pub max_awake_rooms: Option<usize>,
    /// How much memory the rooms that are awake may take [default: 4GiB]
    #[arg(long, env = "STATEROOM_MAX_AWAKE_BYTES", value_name = "SIZE", hide_env = true)]
    pub max_awake_bytes: Option<HumanSize>,
    /// How long a room that sends much waits for more to write at once, such as 10ms [default: 0ms]
    #[arg(long, env = "STATEROOM_FLUSH_WINDOW", value_name = "TIME", hide_env = true)]
    pub flush_window: Option<HumanDuration>,
}

/// What `[durability]` in `stateroom.toml` holds.
#[derive(Debug, Clone, Default, PartialEq, Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[command(next_help_heading = "Durability ([durability] in stateroom.toml)")]
pub struct DurabilitySettings {
    /// What rooms survive: nothing (but a planned stop), crash, or power-loss [default: crash for dev,
    /// power-loss for serve]
    #[arg(
        long,
        env = "STATEROOM_SURVIVES",
        value_enum,
        hide_possible_values = true,
        hide_env = true
    )]
    pub survives: Option<SurvivesOption>,
    /// The folder that rooms are kept in [default: .stateroom beside stateroom.toml, and the folder dev in
    /// that for dev]
    #[arg(long, env = "STATEROOM_DATA_DIR", value_name = "FOLDER", hide_env = true)]
    pub data_dir: Option<PathBuf>,
    /// Keep nothing: rooms live in memory, and end when they fail or are left
    #[arg(
        long,
        env = "STATEROOM_EPHEMERAL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_name = "BOOL",
        hide_possible_values = true,
        hide_env = true
    )]
    pub ephemeral: Option<bool>,
}

/// What `[limits]` in `stateroom.toml` holds: the bounds of one room's module.
#[derive(Debug, Clone, Default, PartialEq, Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[command(next_help_heading = "Limits of a room ([limits] in stateroom.toml)")]
pub struct LimitSettings {
    /// How large a room's memory may grow [default: 64MiB]
    #[arg(long, env = "STATEROOM_MEMORY_BYTES", value_name = "SIZE", hide_env = true)]
    pub memory_bytes: Option<HumanSize>,
    /// How many elements a room's table may have [default: 20000]
    #[arg(long, env = "STATEROOM_TABLE_ELEMENTS", value_name = "N", hide_env = true)]
    pub table_elements: Option<usize>,
    /// How deep a room's calls may go, in bytes of stack [default: 512KiB]
    #[arg(long, env = "STATEROOM_STACK_BYTES", value_name = "SIZE", hide_env = true)]
    pub stack_bytes: Option<HumanSize>,
    /// How long a room may compute on one event [default: 1s]
    #[arg(long, env = "STATEROOM_CPU_TIME_PER_EVENT", value_name = "TIME", hide_env = true)]
    pub cpu_time_per_event: Option<HumanDuration>,
    /// How long a room may compute on an event that it hears again to be brought back; 0s is as long as
    /// it takes, so that every room comes back [default: 0s]
    #[arg(long, env = "STATEROOM_REPLAY_CPU_TIME", value_name = "TIME", hide_env = true)]
    pub replay_cpu_time: Option<HumanDuration>,
    /// How many messages a room may send on one event [default: 10000]
    #[arg(long, env = "STATEROOM_COMMANDS_PER_EVENT", value_name = "N", hide_env = true)]
    pub commands_per_event: Option<u32>,
    /// How many bytes a room may send on one event [default: 16MiB]
    #[arg(long, env = "STATEROOM_BYTES_PER_EVENT", value_name = "SIZE", hide_env = true)]
    pub bytes_per_event: Option<HumanSize>,
    /// How long a line that a room prints may be; the rest is cut off [default: 4KiB]
    #[arg(long, env = "STATEROOM_LOG_LINE_BYTES", value_name = "SIZE", hide_env = true)]
    pub log_line_bytes: Option<HumanSize>,
    /// How many lines a room may print in a second; the others are dropped [default: 100]
    #[arg(long, env = "STATEROOM_LOG_LINES_PER_SECOND", value_name = "N", hide_env = true)]
    pub log_lines_per_second: Option<u32>,
}

/// All settings of one source: the command line with the environment, or the file.
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub struct Settings {
    /// Of the whole server.
    #[command(flatten)]
    pub server: ServerSettings,
    /// Of its rooms.
    #[command(flatten)]
    pub rooms: RoomSettings,
    /// Of what rooms survive.
    #[command(flatten)]
    pub durability: DurabilitySettings,
    /// Of what one room may use.
    #[command(flatten)]
    pub limits: LimitSettings,
}

impl Settings {
    /// Writes over `config` and `bounds` what this source says, and leaves what it doesn't.
    /// The sources are applied from the weakest to the strongest.
    pub fn apply(&self, config: &mut ServerConfig, bounds: &mut Bounds) {
        let Settings { server, rooms, limits: given, durability: _ } = self;
        let limits = &mut bounds.limits;
        set(&mut config.ip, server.host.map(|host| host.0));
        set(&mut config.port, server.port);
        set(&mut config.trusted_proxies, server.trusted_proxies.clone());
        set(&mut config.room_paths, server.room_paths.clone());
        if let Some(subprotocols) = &server.subprotocols {
            config.subprotocols = Some(subprotocols.clone());
        }
        set(&mut config.heartbeat_interval, server.heartbeat_interval.map(|time| time.0));
        set(&mut config.heartbeat_timeout, server.heartbeat_timeout.map(|time| time.0));
        set(&mut config.max_clients, server.max_clients);
        set(&mut config.max_connections, server.max_connections);
        set(&mut config.max_message_bytes, server.max_message_bytes.map(HumanSize::bytes));
        set(&mut config.max_unfinished_bytes, server.max_unfinished_bytes.map(HumanSize::bytes));
        set(&mut config.max_queue_bytes, server.max_queue_bytes.map(HumanSize::bytes));
        set(&mut config.slow_reader_timeout, server.slow_reader_timeout.map(|time| time.0));
        set(&mut config.closing_timeout, server.closing_timeout.map(|time| time.0));
        set(&mut config.http_stall_timeout, server.http_stall_timeout.map(|time| time.0));
        set(&mut config.shards, server.shards);
        set(&mut config.shutdown_timeout, server.shutdown_timeout.map(|time| time.0));
        set(&mut config.log_rooms_every, server.log_rooms_every.map(|time| time.0));

        set(&mut config.max_rooms, rooms.max_rooms);
        set(&mut config.max_clients_per_room, rooms.max_clients_per_room);
        set(&mut config.empty_room_timeout, rooms.empty_room_timeout.map(|time| time.0));
        set(&mut config.sleep_after, rooms.sleep_after.map(|time| time.0));
        set(&mut config.hibernate_after, rooms.hibernate_after.map(|time| time.0));
        set(&mut config.reconnect_timeout, rooms.reconnect_timeout.map(|time| time.0));
        set(&mut config.forget_after, rooms.forget_after.map(unless_zero));
        set(&mut config.temporary_rooms, rooms.temporary_rooms.clone());
        set(&mut config.max_awake_rooms, rooms.max_awake_rooms);
        set(&mut config.max_awake_bytes, rooms.max_awake_bytes.map(HumanSize::bytes));
        set(&mut config.flush_window, rooms.flush_window.map(|time| time.0));

        set(&mut limits.memory_bytes, given.memory_bytes.map(HumanSize::bytes));
        set(&mut limits.table_elements, given.table_elements);
        set(&mut limits.stack_bytes, given.stack_bytes.map(HumanSize::bytes));
        set(&mut limits.cpu_time_per_event, given.cpu_time_per_event.map(|time| time.0));
        set(&mut bounds.replay_cpu_time, given.replay_cpu_time.map(unless_zero));
        set(&mut limits.commands_per_event, given.commands_per_event);
        set(&mut limits.bytes_per_event, given.bytes_per_event.map(HumanSize::bytes));
        set(&mut limits.log_line_bytes, given.log_line_bytes.map(HumanSize::bytes));
        set(&mut limits.log_lines_per_second, given.log_lines_per_second);
    }
}

/// What one room may use: the part of the settings that is the engine's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bounds {
    /// As it hears something for the first time.
    pub limits: Limits,
    /// CPU time of one event that it hears again; `None` is any.
    pub replay_cpu_time: Option<Duration>,
}

fn unless_zero(time: HumanDuration) -> Option<Duration> {
    Some(time.0).filter(|time| !time.is_zero())
}

fn set<T>(setting: &mut T, given: Option<T>) {
    if let Some(value) = given {
        *setting = value;
    }
}
