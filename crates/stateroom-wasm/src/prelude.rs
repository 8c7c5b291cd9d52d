//! Everything the file of a service needs: `use stateroom_wasm::prelude::*;`.

pub use crate::{log, stateroom_wasm};
pub use stateroom::{
    ClientId, LeaveReason, MessageRecipient, Request, Response, SimpleStateroomService,
    StateroomContext, StateroomService, StateroomServiceFactory, WrappedStateroomService,
};
