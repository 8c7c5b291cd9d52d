//! The context of a room: in a module, and outside of one.

#[cfg(target_arch = "wasm32")]
pub use crate::host_context::HostContext as Context;
/// The context of a room outside a module, where there is no host to send through.
#[cfg(not(target_arch = "wasm32"))]
pub use stateroom::TestContext as Context;
