//! Every setting of a server, with its default.

use crate::{
    allowed_origin::AllowedOrigin, auth::Auth, room_path::RoomPath, room_pattern::RoomPattern,
    trusted_proxy::TrustedProxy,
};
use std::{net::IpAddr, path::PathBuf, time::Duration};

/// The settings of a [`Server`](crate::Server).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    /// The address to listen on. Default: 0.0.0.0.
    pub ip: IpAddr,
    /// The port to listen on; 0 takes any free one. Default: 8080.
    pub port: u16,
    /// The folder served at `/`. Default: none.
    pub static_path: Option<PathBuf>,
    /// The folder of a wasm-bindgen client, served at `/client`. Default: none.
    pub client_path: Option<PathBuf>,
    /// The proxies that are believed when they tell, with `X-Forwarded-For`, where a client comes from.
    /// Default: none.
    pub trusted_proxies: Vec<TrustedProxy>,
    /// Whose pages may open rooms; those of others are answered 403. Default: those of the host that the
    /// request is for.
    pub allowed_origins: Vec<AllowedOrigin>,
    /// Which clients may come in, and who they are. Default: `None`, which is anybody, and nobody knows who.
    pub auth: Option<Auth>,
    /// Paths that open rooms besides `/ws/{room}`. Default: none.
    pub room_paths: Vec<RoomPath>,
    /// The subprotocols that are answered: of those that a client offers, the first that is one of these.
    /// Where it offers none of them, none is answered, and browsers close the connection. Default: `None`,
    /// which is whichever a client offers first.
    pub subprotocols: Option<Vec<String>>,
    /// Whether pages are those of somebody who works on them: none is cached, and those that are open are
    /// loaded again upon [`ServerHandle::reload_pages`](crate::ServerHandle::reload_pages). Default: false.
    pub live_pages: bool,
    /// How many rooms may exist at once; a client past that is answered 503. Default: 1,000,000.
    pub max_rooms: usize,
    /// How many clients may be connected at once; past that 503. Default: 100,000.
    pub max_clients: usize,
    /// How many connections of every kind may be open at once: clients, plain HTTP (which counts twice,
    /// for the file that it may have open), and those that are just beginning or being closed. The last
    /// sixteenth of them, at most 128, are for telling newcomers 503, and for `/healthz`, `/status` and
    /// `/metrics`; past that they wait to be accepted.
    /// Lowered to what the limit on open descriptors leaves. Default: 110,000.
    pub max_connections: usize,
    /// How many clients one room may have at once; past that 503. Default: 10,000.
    pub max_clients_per_room: usize,
    /// The largest message a client may send, in bytes; past that the client is closed with 1009.
    /// Default: 1 MiB.
    pub max_message_bytes: usize,
    /// How many bytes of messages that have not come whole all clients together may have the server hold.
    /// In the upper half of it, a client that has sent more than an equal share is closed with 1013 when
    /// it sends more; past it, any. Default: 64 MiB.
    pub max_unfinished_bytes: usize,
    /// How many bytes may wait for a client that reads too slowly, beside one message that is larger than
    /// this by itself. One that still has more waiting when there is something new for it is closed with
    /// 1013. Default: 1 MiB.
    pub max_queue_bytes: usize,
    /// How much memory may be taken by what waits for all clients together, in bytes; what waits for many counts
    /// once. In the upper half of it, a client is closed with 1013 when it would take more than an equal share of
    /// that half, or has for `slow_reader_timeout`; past it, when it would take more than 1 KiB. One that has had the
    /// beginning of a message whose end may not wait is cut off. Default: 64 MiB.
    pub max_queued_bytes: usize,
    /// How long a client for whom something waits may read nothing at all; then it is closed with 1013.
    /// Default: 10 s.
    pub slow_reader_timeout: Duration,
    /// How long a client that is closed, or closes, may take to read what was sent to it before and to
    /// close its side; then it is cut off. Default: 5 s.
    pub closing_timeout: Duration,
    /// How long a request or a download over plain HTTP may make no progress; then its connection is
    /// closed. Default: 30 s.
    pub http_stall_timeout: Duration,
    /// The largest body of an HTTP request to a room, in bytes; past that it is answered 413. Default: 1 MiB.
    pub max_request_bytes: usize,
    /// How many HTTP requests may wait for their rooms at once, an eighth of them for one room, and together no more than
    /// 64 of the largest take; past that 503. Default: 1,000.
    pub max_requests: usize,
    /// How long an HTTP request waits for its room's answer; then it is answered 504, though it may still happen.
    /// Default: 30 s.
    pub request_timeout: Duration,
    /// How long a room lives on after its last client left; where rooms are kept, how long it stays in
    /// memory then. Default: 30 s.
    pub empty_room_timeout: Duration,
    /// How long a client may be silent before it is pinged. Default: 25 s.
    pub heartbeat_interval: Duration,
    /// How long a client may be silent before it is taken for dead, at least as long as
    /// `heartbeat_interval`. Default: 60 s.
    pub heartbeat_timeout: Duration,
    /// How long a room that sends much waits for more to write at once. A room that has written
    /// nothing for this long writes at once. Default: 0, which is never to wait.
    pub flush_window: Duration,
    /// How long a room that hears nothing stays awake. Then it sleeps, which frees its instance and
    /// keeps its state; its clients notice nothing. Default: 10 s.
    pub sleep_after: Duration,
    /// How long a room sleeps in memory before it is left to the disk alone, where rooms are kept. Its
    /// clients notice nothing. Default: 5 min.
    pub hibernate_after: Duration,
    /// Where rooms are kept: how long after its last visitor has left a room is forgotten that has no timer,
    /// with all that is kept of it. `None` is never. Default: `None`.
    pub forget_after: Option<Duration>,
    /// Rooms that are forgotten as soon as nobody is in them, with all that is kept of them. Default: none.
    pub temporary_rooms: Vec<RoomPattern>,
    /// Where rooms are kept: how long after the server's start those who were connected before it, and
    /// have a token, may take to come back, before their room hears that they left. Default: 10 s.
    pub reconnect_timeout: Duration,
    /// How long a client with a session may be away before its room hears that it has left. After a start of the
    /// server everybody has it whole. Default: 30 s.
    pub session_grace: Duration,
    /// How many bytes a room keeps at most of what it has said to clients with sessions, to say it again to one that
    /// comes back. One that has missed more is told so. Default: 256 KiB.
    pub max_retained_bytes_per_room: usize,
    /// And how many all rooms together: in the upper half of it, a room that keeps more than an equal share of that half
    /// keeps nothing; past it, none does. Default: 64 MiB.
    pub max_retained_bytes: usize,
    /// How many clients with sessions may come in a second, or come back; others are closed with 4100, and try again
    /// later. Default: 10,000.
    pub max_resumes_per_second: u32,
    /// How many rooms that can sleep are awake at once. Default: 4,000, each of which has some
    /// 40 KiB; one that is woken for a message is late by some 30 µs.
    pub max_awake_rooms: usize,
    /// How much memory the rooms that are awake may take, in bytes; past it those that were quiet
    /// for longest sleep. Default: 4 GiB.
    pub max_awake_bytes: usize,
    /// How many threads have rooms; 0 takes one for each core that the process may use. Default: 0.
    pub shards: usize,
    /// How much stack a thread that has rooms has, in bytes; their services run on it. Default: none,
    /// which is what the system gives threads.
    pub thread_stack_bytes: Option<usize>,
    /// How long a shutdown waits for clients to close. Default: 5 s.
    pub shutdown_timeout: Duration,
    /// How often the log tells how many rooms are awake, asleep and on disk, if that has changed; 0 is
    /// never. Default: 1 min.
    pub log_rooms_every: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        ServerConfig {
            ip: IpAddr::from([0, 0, 0, 0]),
            port: 8080,
            static_path: None,
            client_path: None,
            trusted_proxies: Vec::new(),
            allowed_origins: vec![AllowedOrigin::SAME_HOST],
            auth: None,
            room_paths: Vec::new(),
            subprotocols: None,
            live_pages: false,
            max_rooms: 1_000_000,
            max_clients: 100_000,
            max_connections: 110_000,
            max_clients_per_room: 10_000,
            max_message_bytes: 1024 * 1024,
            max_unfinished_bytes: 64 * 1024 * 1024,
            max_queue_bytes: 1024 * 1024,
            max_queued_bytes: 64 * 1024 * 1024,
            slow_reader_timeout: Duration::from_secs(10),
            closing_timeout: Duration::from_secs(5),
            http_stall_timeout: Duration::from_secs(30),
            max_request_bytes: 1024 * 1024,
            max_requests: 1_000,
            request_timeout: Duration::from_secs(30),
            empty_room_timeout: Duration::from_secs(30),
            heartbeat_interval: Duration::from_secs(25),
            heartbeat_timeout: Duration::from_secs(60),
            flush_window: Duration::ZERO,
            sleep_after: Duration::from_secs(10),
            hibernate_after: Duration::from_secs(5 * 60),
            forget_after: None,
            temporary_rooms: Vec::new(),
            reconnect_timeout: Duration::from_secs(10),
            session_grace: Duration::from_secs(30),
            max_retained_bytes_per_room: 256 * 1024,
            max_retained_bytes: 64 * 1024 * 1024,
            max_resumes_per_second: 10_000,
            max_awake_rooms: 4_000,
            max_awake_bytes: 4 * 1024 * 1024 * 1024,
            shards: 0,
            thread_stack_bytes: None,
            shutdown_timeout: Duration::from_secs(5),
            log_rooms_every: Duration::from_secs(60),
        }
    }
}
