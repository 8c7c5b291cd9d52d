//! Everything the file of a typed service needs: `use stateroom_wasm::typed::*;`.

pub use crate::{log, stateroom_wasm};
pub use stateroom::{
    ClientId, LeaveReason, MessageRecipient, Request, Response, Room, TypedService,
};
