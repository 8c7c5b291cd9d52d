//! A room that is kept: what it wants to be kept, what waits for that, and what it does after an event that
//! failed. `kept_room` has its states; the files beside it are what it does in them.

mod failed_event;
mod kept_room;
mod new_code;
mod pace;
mod recover;
mod rest;
mod sessions;
mod submit;

pub use failed_event::{Consequence, SetAside};
pub use kept_room::{Keep, KeptRoom, MAX_UNKEPT_BYTES};
