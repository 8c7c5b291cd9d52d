//! A WebSocket server for Stateroom rooms.
//!
//! The walk of one message, each step a file: `listener` and `admission` (from an HTTP request to
//! a client in a room), `connection` (reads a frame), `room_task` (takes all that is ready),
//! `stateroom-room` (decides, and lets the service hear it), `sockets` (encodes the answer once,
//! shares it), `connection` again (writes).

mod admission;
mod busy;
mod clock;
mod config;
mod connection;
mod farewell;
mod heartbeat;
mod http;
mod listener;
mod readiness;
mod room_task;
mod rooms;
mod server;
mod sockets;
mod websocket;

pub use busy::lend_thread;
pub use config::ServerConfig;
pub use rooms::RoomFactory;
pub use server::{RunningServer, Server, ServerHandle, runtime};
