//! One room as a pure state machine: events and a time in, commands out.
//!
//! [`Room`] is the only place that decides who is a member and under which id, whom a message
//! reaches, when the timer fires, and what happens when a service fails. It opens no socket, reads
//! no clock and starts no task; whoever drives it does. The rule for a driver:
//!
//! 1. give it an event and the time: [`Room::handle`];
//! 2. carry out its commands, in order: [`Room::drain_commands`] (after one event or after many);
//! 3. wait until something happens, or until [`Room::deadline`], then give it [`Event::Timer`].
//!
//! ```
//! use stateroom::{ClientId, SimpleServiceFactory, SimpleStateroomService, StateroomContext};
//! use stateroom_room::{Command, Event, Recipients, Room, Timestamp};
//!
//! struct Echo;
//! impl SimpleStateroomService for Echo {
//!     fn new(_: &str, _: &impl StateroomContext) -> Self {
//!         Echo
//!     }
//!     fn message(&mut self, client: ClientId, message: &str, context: &impl StateroomContext) {
//!         context.send_message(client, message);
//!     }
//! }
//!
//! let now = Timestamp::default();
//! let mut room = Room::start(&SimpleServiceFactory::<Echo>::new(), "lobby", now).unwrap();
//! room.handle(Event::Connect { token: None }, now).unwrap();
//! room.handle(Event::Text { client: ClientId(1), text: "hello" }, now).unwrap();
//!
//! let mut sent = Vec::new();
//! room.drain_commands(|command| {
//!     if let Command::Send { to: Recipients::One(client), bytes, .. } = command {
//!         sent.push((client, bytes.to_vec()));
//!     }
//! });
//! assert_eq!(sent, [(ClientId(1), b"hello".to_vec())]);
//! ```
//!
//! A room that is to outlive its process is made by [`Room::found`]. It records what it hears, and its
//! commands wait until the driver says that the records are durable: [`Room::submit`] takes the
//! records, [`Room::commit`] lets go of the commands that waited for them, and the room goes on hearing
//! in between. [`Room::state`] tells the whole room at one moment; [`Room::restore`] and
//! [`Room::replay`] bring it back from that and the records after it.

mod answers;
mod ask;
mod bring_back;
mod command;
mod event;
mod failure;
mod glance;
mod handle;
mod journal;
mod kept;
mod members;
mod new_code;
mod outbox;
mod presence;
mod record;
mod request;
mod room;
pub mod session;
mod sessions;
mod small_map;
mod state;
mod submit;
mod timestamp;
mod told;

pub use answers::{
    ANSWERS_ARE_REMEMBERED_FOR, MAX_REMEMBERED_ANSWER_BYTES, MAX_REMEMBERED_ANSWERS,
};
pub use bring_back::ReturnFailure;
pub use command::{CloseReason, Command, MessageKind, Recipients};
pub use event::{Event, describe};
pub use failure::{RoomEnded, StartFailure};
pub use glance::Glance;
pub use kept::{Consequence, Keep, KeptRoom, MAX_UNKEPT_BYTES, SetAside};
pub use members::{MAX_REMEMBERED_TOKEN_BYTES, MAX_REMEMBERED_TOKENS};
pub use new_code::TakeOverFailure;
pub use outbox::RoomContext;
pub use presence::user_of;
pub use record::{NoRecord, Record, Records};
pub use room::Room;
pub use state::{NoState, RoomState};
pub use timestamp::Timestamp;
pub use told::claims_in;
