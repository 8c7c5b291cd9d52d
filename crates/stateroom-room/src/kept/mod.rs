//! A room that is kept, as a pure state machine: what it wants to be kept, what waits for that, and what it
//! does after an event that failed. Events, answers and a time go in; what is to be kept, commands and a deadline come
//! out. Whoever drives it only carries.
//!
//! ```text
//!              handle: the event fails                submit, kept: all before it is durable
//!   in memory ─────────────────────────► failed ──────────────────────────► to be brought back
//!    ▲  ▲  │                                                                       │
//!    │  │  └──── take_state, state_kept, leave_memory: nobody needs it ──► at rest │
//!    │  └──────────────────────────────── bring_in ───────────────────────────┘    │
//!    └─────────────────────────────────── back_again ──────────────────────────────┘
//! ```

mod failed_event;
mod kept_room;
mod new_code;
mod pace;
mod recover;
mod rest;
mod submit;

pub use failed_event::{Consequence, SetAside};
pub use kept_room::{Keep, KeptRoom, MAX_UNKEPT_BYTES};
