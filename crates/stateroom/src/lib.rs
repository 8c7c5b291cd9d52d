//! The vocabulary of Stateroom: what a room is to its author, and to the program that runs it.
//!
//! A *service* is a plain type that implements [`SimpleStateroomService`]. One instance of it is a
//! *room*: single-threaded code that hears events (`connect`, `disconnect`, `message`, `binary`,
//! `timer`) and answers through a [`StateroomContext`]. This crate does no I/O and knows neither
//! WebAssembly nor sockets, so a service can be unit-tested with nothing but [`TestContext`]:
//!
//! ```
//! use stateroom::*;
//!
//! struct Counter(i32);
//!
//! impl SimpleStateroomService for Counter {
//!     fn new(_room_id: &str, _context: &impl StateroomContext) -> Self {
//!         Counter(0)
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
//! let context = TestContext::new();
//! let mut counter = Counter::new("my-room", &context);
//! counter.message(ClientId(1), "+", &context);
//! assert_eq!(context.take(), [Sent::text(MessageRecipient::Broadcast, "1")]);
//! ```

mod client_id;
mod context;
mod factory;
mod failure;
mod leave_reason;
mod message_recipient;
mod messages;
mod request;
mod request_bytes;
#[cfg(feature = "serde")]
mod room;
mod saved;
mod service;
mod sleep;
mod test_context;
#[cfg(feature = "serde")]
mod test_room;
mod timed;
mod timers;
#[cfg(feature = "serde")]
mod typed_service;
#[cfg(feature = "typescript")]
mod typescript;

pub use client_id::ClientId;
pub use context::{MAX_CLOSE_REASON_BYTES, StateroomContext, check_close_code, is_close_code};
pub use factory::{SimpleServiceFactory, StateroomServiceFactory};
pub use failure::ServiceFailure;
pub use leave_reason::LeaveReason;
pub use message_recipient::MessageRecipient;
pub use messages::{MessageFromProcess, MessagePayload, MessageToProcess};
pub use request::{REQUEST_HEADERS, RESPONSE_HEADERS, Request, Response};
pub use request_bytes::NotEncoded;
#[cfg(feature = "serde")]
pub use room::Room;
pub use saved::{Birth, CodeVersion, MemoryLimits, RestoreFailure, SaveFailure, SavedState};
pub use service::{SimpleStateroomService, StateroomService, WrappedStateroomService};
pub use sleep::{Compression, Sleep};
pub use test_context::{Closed, Sent, TestContext};
#[cfg(feature = "serde")]
pub use test_room::TestRoom;
pub use timers::{MAX_NAMED_TIMERS, MAX_TIMER_NAME_BYTES, Timers};
#[cfg(feature = "typescript")]
pub use ts_rs;
#[cfg(feature = "serde")]
pub use typed_service::TypedService;
#[cfg(feature = "typescript")]
pub use typescript::typescript;

// The examples of the README are tested as those of the documentation are.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
