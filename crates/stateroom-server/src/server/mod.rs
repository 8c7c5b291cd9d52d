//! The server: from its settings to the end of its last client.

mod archive;
mod bind;
mod builder;
mod error;
mod forget;
mod handle;
mod running;
mod runtime;

pub use builder::Server;
pub use error::RunError;
pub use handle::ServerHandle;
pub use running::RunningServer;
