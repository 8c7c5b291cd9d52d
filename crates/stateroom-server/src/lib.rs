//! A WebSocket server for Stateroom rooms.
//!
//! The walk of one message, each step a file: `shard/accept`, `shard/handshake` and `request` (from a
//! connection to a client in a room), `shard/run` (which room's turn it is), `room/read` and `connection` (read
//! a frame), `stateroom-room` (decides, and lets the service hear it), `sockets` (encodes the answer once,
//! shares it), `connection` again (writes).

mod allowed_origin;
mod auth;
mod batch;
mod busy;
mod by_reason;
mod clock;
mod coarse_deadline;
mod compressor;
mod config;
mod connection;
mod connections;
mod counters;
mod descriptors;
mod factory;
mod fair_share;
mod forwarded;
mod frame;
mod headers;
mod health;
mod heartbeat;
mod host;
mod http;
mod incarnation;
mod keeping;
mod kept;
mod live_pages;
mod lock;
mod metrics;
mod names;
mod occupancy;
mod page;
mod pages;
mod per_second;
mod priority;
mod queue;
mod queued;
mod ranges;
mod request;
mod retained;
#[cfg(all(target_os = "linux", any(target_arch = "aarch64", target_arch = "x86_64")))]
mod ring;
#[cfg(not(all(target_os = "linux", any(target_arch = "aarch64", target_arch = "x86_64"))))]
#[path = "no_ring.rs"]
mod ring;
mod room;
mod room_http;
mod room_path;
mod room_pattern;
mod scratch;
mod server;
mod shard;
mod shared;
mod sockets;
mod sometimes;
mod trusted_proxy;
mod unfinished;
mod websocket;

#[doc(hidden)]
pub mod measured;

pub use allowed_origin::{AllowedOrigin, NotAnOrigin};
pub use auth::{Auth, Keys, KeysError};
pub use busy::lend_thread;
pub use config::ServerConfig;
pub use factory::RoomFactory;
pub use host::{HostError, resolve_host};
pub use keeping::{Keeping, LoadCode, Survives};
pub use room_path::{RoomPath, RoomPathError};
pub use room_pattern::{RoomPattern, RoomPatternError};
pub use server::{RunError, RunningServer, Server, ServerHandle};
pub use trusted_proxy::{NotAProxy, TrustedProxy};
