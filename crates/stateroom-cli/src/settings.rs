//! The settings of a running server. Each is a command line flag, an environment variable and a
//! key of `stateroom.toml` at once; one that is not given anywhere keeps the default of the crate
//! that it belongs to. `docs/settings.md` is made of this table.

use crate::{
    HumanDuration, HumanSize, host::Host, setting_table::settings, survives::SurvivesOption,
};
use stateroom_server::{AllowedOrigin, RoomPath, RoomPattern, ServerConfig, TrustedProxy};
use stateroom_wasm_host::Limits;
use std::{path::PathBuf, time::Duration};

/// What one room may use: the part of the settings that is the engine's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bounds {
    /// As it hears something for the first time.
    pub limits: Limits,
    /// CPU time of one event that it hears again; `None` is any.
    pub replay_cpu_time: Option<Duration>,
}

/// Where settings go.
struct Places<'a> {
    server: &'a mut ServerConfig,
    bounds: &'a mut Bounds,
}

settings! {
    /// What `[server]` in `stateroom.toml` holds.
    [server] "Server" ServerSettings {
        /// Address to listen on, or a name such as localhost
        host: Host as "HOST" = "127.0.0.1 for dev, 0.0.0.0 for serve" => server.ip,
        /// Port to listen on; 0 takes any free one
        #[arg(short)]
        port: u16 as "PORT" => server.port,
        /// Proxies in front, as IP addresses or networks, that are believed when they tell with X-Forwarded-For
        /// where a client comes from
        #[arg(value_delimiter = ',')]
        trusted_proxies: Vec<TrustedProxy> as "IP,..." = "" => server.trusted_proxies,
        /// Whose pages may open rooms: origins such as https://app.example.com and https://*.example.com, or same-host,
        /// localhost, null, *; for dev also those of localhost
        #[arg(value_delimiter = ',')]
        allowed_origins: Vec<AllowedOrigin> as "ORIGIN,..." = "same-host" => server.allowed_origins,
        /// Other paths that open rooms, such as /parties/main/{room}; /ws/{room} always does
        #[arg(value_delimiter = ',')]
        room_paths: Vec<RoomPath> as "PATH,PATH" = "" => server.room_paths,
        /// Which WebSocket subprotocols are answered, the first of these that a client offers; without it, the
        /// first that it offers, whichever
        #[arg(value_delimiter = ',')]
        subprotocols: Vec<String> as "NAME,NAME" = "" => server.subprotocols,
        /// How long a client may be silent before it is pinged
        #[arg(short = 'i')]
        heartbeat_interval: HumanDuration as "TIME" => server.heartbeat_interval,
        /// How long a client may be silent before it is taken for dead
        #[arg(short = 't')]
        heartbeat_timeout: HumanDuration as "TIME" => server.heartbeat_timeout,
        /// How many clients may be connected at once
        max_clients: usize as "N" => server.max_clients,
        /// How many connections of every kind may be open at once, clients included; fewer where the limit on open
        /// files says so
        max_connections: usize as "N" => server.max_connections,
        /// The largest message that a client may send
        max_message_bytes: HumanSize as "SIZE" => server.max_message_bytes,
        /// How much of messages that have not come whole is held for all clients together
        max_unfinished_bytes: HumanSize as "SIZE" => server.max_unfinished_bytes,
        /// How much may wait for a client that reads too slowly
        max_queue_bytes: HumanSize as "SIZE" => server.max_queue_bytes,
        /// How much memory may be taken by what waits for all clients together
        max_queued_bytes: HumanSize as "SIZE" => server.max_queued_bytes,
        /// How long a client that something waits for may read nothing at all
        slow_reader_timeout: HumanDuration as "TIME" => server.slow_reader_timeout,
        /// How long a client may take to read what was sent before it is closed, and to close
        closing_timeout: HumanDuration as "TIME" => server.closing_timeout,
        /// How long a request or a download over plain HTTP may make no progress
        http_stall_timeout: HumanDuration as "TIME" => server.http_stall_timeout,
        /// The largest body of an HTTP request to a room
        max_request_bytes: HumanSize as "SIZE" => server.max_request_bytes,
        /// How many HTTP requests may wait for their rooms at once, an eighth of them for one room
        max_requests: usize as "N" => server.max_requests,
        /// How long an HTTP request waits for its room's answer
        request_timeout: HumanDuration as "TIME" => server.request_timeout,
        /// How many threads have rooms; 0 takes one for each core
        shards: usize as "N" => server.shards,
        /// How long a shutdown waits for clients to close
        shutdown_timeout: HumanDuration as "TIME" => server.shutdown_timeout,
        /// How often the log tells how many rooms are awake, asleep and on disk, if that has changed; 0s is never
        log_rooms_every: HumanDuration as "TIME" = "0s for dev, 1m for serve" => server.log_rooms_every,
    }

    /// What `[rooms]` in `stateroom.toml` holds.
    [rooms] "Rooms" RoomSettings {
        /// How many rooms may exist at once
        max_rooms: usize as "N" => server.max_rooms,
        /// How many clients one room may have at once
        max_clients_per_room: usize as "N" => server.max_clients_per_room,
        /// How long a room stays in memory after its last client left; an ephemeral one ends then
        empty_room_timeout: HumanDuration as "TIME" => server.empty_room_timeout,
        /// How long a room that hears nothing stays awake; its clients do not notice
        sleep_after: HumanDuration as "TIME" => server.sleep_after,
        /// How long a room sleeps in memory before it is left to the disk alone
        hibernate_after: HumanDuration as "TIME" => server.hibernate_after,
        /// How long clients with a token may take to come back after a restart before their room hears that they
        /// left
        reconnect_timeout: HumanDuration as "TIME" => server.reconnect_timeout,
        /// How long a client with a session may be away before its room hears that it has left
        session_grace: HumanDuration as "TIME" => server.session_grace,
        /// How many bytes a room keeps of what it has said, for clients with sessions that come back
        max_retained_bytes_per_room: HumanSize as "SIZE" => server.max_retained_bytes_per_room,
        /// How many bytes all rooms together keep of that
        max_retained_bytes: HumanSize as "SIZE" => server.max_retained_bytes,
        /// How many clients with sessions may come in a second, or come back
        max_resumes_per_second: u32 as "N" => server.max_resumes_per_second,
        /// How long after its last client left a room is forgotten that has no timer, with all that is kept of it;
        /// 0s is never
        forget_after: HumanDuration as "TIME" => server.forget_after,
        /// Rooms that are forgotten as soon as nobody is in them, such as those of `stateroom load`
        #[arg(value_delimiter = ',')]
        temporary_rooms: Vec<RoomPattern> as "ID,ID" = "load-{number} for dev, none for serve" => server.temporary_rooms,
        /// How many rooms are awake at once; the others sleep
        max_awake_rooms: usize as "N" => server.max_awake_rooms,
        /// How much memory the rooms that are awake may take
        max_awake_bytes: HumanSize as "SIZE" => server.max_awake_bytes,
        /// How long a room that sends much waits for more to write at once, such as 10ms
        flush_window: HumanDuration as "TIME" => server.flush_window,
    }

    /// What `[durability]` in `stateroom.toml` holds.
    [durability] "Durability" DurabilitySettings {
        /// What rooms survive: nothing (but a planned stop), crash, or power-loss
        #[arg(value_enum, hide_possible_values = true)]
        survives: SurvivesOption as "SURVIVES" = "crash for dev, power-loss for serve",
        /// The folder that rooms are kept in
        data_dir: PathBuf as "FOLDER" = ".stateroom beside stateroom.toml, and the folder dev in that for dev",
        /// Keep nothing: rooms live in memory, and end when they fail or are left
        #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
        ephemeral: bool as "BOOL" = "",
    }

    /// What `[limits]` in `stateroom.toml` holds: the bounds of one room's module.
    [limits] "Limits of a room" LimitSettings {
        /// How large a room's memory may grow
        memory_bytes: HumanSize as "SIZE" => bounds.limits.memory_bytes,
        /// How many elements a room's table may have
        table_elements: usize as "N" => bounds.limits.table_elements,
        /// How deep a room's calls may go, in bytes of stack
        stack_bytes: HumanSize as "SIZE" => bounds.limits.stack_bytes,
        /// How long a room may compute on one event
        cpu_time_per_event: HumanDuration as "TIME" => bounds.limits.cpu_time_per_event,
        /// How long a room may compute on an event that it hears again to be brought back; 0s is as long as it
        /// takes, so that every room comes back
        replay_cpu_time: HumanDuration as "TIME" => bounds.replay_cpu_time,
        /// How many messages a room may send on one event
        commands_per_event: u32 as "N" => bounds.limits.commands_per_event,
        /// How many bytes a room may send on one event
        bytes_per_event: HumanSize as "SIZE" => bounds.limits.bytes_per_event,
        /// How long a line that a room prints may be; the rest is cut off
        log_line_bytes: HumanSize as "SIZE" => bounds.limits.log_line_bytes,
        /// How many lines a room may print in a second; the others are dropped
        log_lines_per_second: u32 as "N" => bounds.limits.log_lines_per_second,
    }

    /// What `[auth]` in `stateroom.toml` holds: which tokens clients come in with.
    [auth] "Who may come in" AuthSettings {
        /// A file with the secret that tokens are signed with (HS256); line breaks at its end do not count
        jwt_secret_file: PathBuf as "FILE" = "",
        /// The name of an environment variable with the secret that tokens are signed with (HS256)
        jwt_secret_variable: String as "NAME" = "",
        /// A file with the public key of who signs tokens, in PEM: RSA (RS256), P-256 (ES256) or Ed25519 (EdDSA)
        jwt_public_key_file: PathBuf as "FILE" = "",
        /// The name of an environment variable with such a public key
        jwt_public_key_variable: String as "NAME" = "",
        /// A file with several keys of who signs tokens: a JWKS, which is JSON
        jwks_file: PathBuf as "FILE" = "",
        /// What the claim iss of tokens has to be
        jwt_issuer: String as "NAME" = "",
        /// What the claim aud of tokens has to be, or hold; without it, tokens must have none
        jwt_audience: String as "NAME" = "",
        /// How far the clock of who signs tokens may be from the server's
        jwt_leeway: HumanDuration as "TIME" = "30s",
        /// The claim that names the rooms which may be entered, exactly or as prefix*; without it, all may
        jwt_rooms_claim: String as "NAME" = "",
        /// The claims that services may ask for, such as a role
        #[arg(value_delimiter = ',')]
        jwt_claims: Vec<String> as "NAME,NAME" = "",
        /// A parameter of the address that may hold the token, for clients that can send it in no other way
        jwt_query_parameter: String as "NAME" = "",
        /// Whether clients without a token may come in too; for dev they may, unless told otherwise
        #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
        anonymous: bool as "BOOL" = "false",
    }
}
