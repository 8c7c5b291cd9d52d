//! A client of Stateroom rooms. It connects again by itself, and then goes on where it was: no message is lost and none
//! comes twice, in either direction, whatever becomes of the connection and of the server.
//!
//! ```no_run
//! # async fn chat() -> Result<(), Box<dyn std::error::Error>> {
//! use stateroom_client::{Event, Options, RoomClient};
//!
//! let mut room = RoomClient::connect("ws://localhost:8080/ws/lobby", Options::default())?;
//! room.send("hello")?; // goes out as soon as there is a connection
//! while let Some(event) = room.next_event().await {
//!     match event {
//!         Event::Message(message) => println!("{message:?}"),
//!         Event::Resumed { recovered: false, .. } => println!("the room began anew"),
//!         _ => {}
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! With messages that are JSON, [`RoomClient::typed`] has them as types of yours: `room.typed::<In, Out>()`.
//!
//! In a browser (`wasm32-unknown-unknown`) it is the same: there the sockets are those of the page, or of the worker.
//! [`RoomClient::wake`] is to be called there when the page hears `online` or is looked at again.
//!
//! What it does when is decided in [`stateroom_room::session::client`]; this crate brings sockets, time and randomness.
//! The protocol stands in `docs/protocol.md`.

mod address;
mod driver;
mod event;
mod incoming;
#[cfg(not(target_arch = "wasm32"))]
mod native;
mod options;
mod room_client;
mod typed;
#[cfg(target_arch = "wasm32")]
mod web;

#[cfg(not(target_arch = "wasm32"))]
use native as platform;
#[cfg(target_arch = "wasm32")]
use web as platform;

pub use event::Event;
pub use options::{Options, Token};
pub use room_client::{BadAddress, RoomClient, Unsettled};
pub use stateroom_room::session::client::{Message, NotSent, Status};
pub use typed::{NotRead, NotSaid, TypedClient, from_json};
