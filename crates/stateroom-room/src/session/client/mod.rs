//! The client's side of a session, as a pure state machine: calls of the application and what happens to its sockets go
//! in, actions come out. `machine` has its states; the files beside it are what it does in them.

mod action;
mod backoff;
mod hear;
mod loss;
mod machine;
mod queue;
mod speak;

pub use action::{Action, Message};
pub use machine::{ClientSettings, SessionClient, Status};
pub use speak::NotSent;
