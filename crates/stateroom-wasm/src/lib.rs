//! What the author of a Stateroom service depends on: a plain Rust type becomes a WebAssembly
//! module that runs as a room, with WebSocket clients.
//!
//! ```
//! use stateroom_wasm::prelude::*;
//!
//! /// A number that everyone in the room can see and raise.
//! #[stateroom_wasm]
//! struct Counter(u32);
//!
//! impl SimpleStateroomService for Counter {
//!     fn new(_room_id: &str, _context: &impl StateroomContext) -> Self {
//!         Counter(0)
//!     }
//!
//!     fn connect(&mut self, client: ClientId, context: &impl StateroomContext) {
//!         context.send_message(client, &self.0.to_string());
//!     }
//!
//!     fn message(&mut self, _client: ClientId, message: &str, context: &impl StateroomContext) {
//!         if message == "+" {
//!             self.0 += 1;
//!         }
//!         context.send_message(MessageRecipient::Broadcast, &self.0.to_string());
//!     }
//! }
//!
//! // The service is ordinary Rust, so it is tested as such: `cargo test`, no server.
//! use stateroom_wasm::{Sent, TestContext};
//!
//! let context = TestContext::new();
//! let mut room = Counter::new("my-room", &context);
//! room.connect(ClientId(1), &context);
//! room.message(ClientId(1), "+", &context);
//! assert_eq!(
//!     context.take(),
//!     [Sent::text(ClientId(1), "0"), Sent::text(MessageRecipient::Broadcast, "1")]
//! );
//! ```
//!
//! The crate of a service is a library of type `cdylib` (and `rlib`, so that it can be tested and
//! documented), compiled for `wasm32-wasip1`:
//!
//! ```toml
//! [lib]
//! crate-type = ["cdylib", "rlib"]
//! ```
//!
//! `#[stateroom_wasm(carry_over)]` lets new code take over the state of running rooms, see
//! [`stateroom_wasm`](macro@stateroom_wasm), and [`assert_carries_over`] tests that.
//!
//! Services whose messages are types are written with [`typed`], and sent and heard as JSON.
//!
//! What a service prints is in the log of the server, with the room's id. With `log::warn!` and the other
//! macros of the [`log`] facade, which is in the prelude, each line has a level; those of dependencies go the
//! same way.
//!
//! A panic in a service ends the event it happened in. Its message and place reach the log of the
//! host. That takes WASI: a module compiled for `wasm32-unknown-unknown` runs too, but has nowhere
//! to print to, and the host learns only that it stopped.

#[doc(hidden)]
pub mod boundary;
mod carry_over;
mod context;
#[cfg(target_arch = "wasm32")]
mod host;
#[cfg(target_arch = "wasm32")]
mod host_context;
pub mod prelude;
#[cfg(target_arch = "wasm32")]
mod printer;
mod room;
mod testing;
pub mod typed;
#[cfg(feature = "typescript")]
mod types;

pub use log;

pub use stateroom::{
    ClientId, Closed, LeaveReason, MessagePayload, MessageRecipient, Request, Response, Room, Sent,
    SimpleStateroomService, StateroomContext, StateroomService, StateroomServiceFactory,
    TestContext, TestRoom, TypedService, WrappedStateroomService,
};
pub use stateroom_wasm_macro::stateroom_wasm;
pub use testing::assert_carries_over;
#[cfg(feature = "typescript")]
pub use {stateroom::ts_rs, types::write_types};
