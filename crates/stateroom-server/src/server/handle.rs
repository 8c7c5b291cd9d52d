//! What controls a server while it runs.

use crate::{
    factory::RoomFactory,
    kept::archive::Archive,
    shard::{Mailbox, ShardMessage},
    shared::Shared,
};
use std::sync::{Arc, atomic::Ordering::Relaxed};
use tokio_util::sync::CancellationToken;

/// Controls a server while it runs.
pub struct ServerHandle<F: RoomFactory> {
    pub(super) archive: Option<Arc<Archive<F>>>,
    pub(super) shards: Arc<[Arc<Mailbox<F>>]>,
    pub(super) shared: Arc<Shared>,
    pub(super) stopping: CancellationToken,
}

impl<F: RoomFactory> Clone for ServerHandle<F> {
    fn clone(&self) -> Self {
        ServerHandle {
            archive: self.archive.clone(),
            shards: self.shards.clone(),
            shared: self.shared.clone(),
            stopping: self.stopping.clone(),
        }
    }
}

impl<F: RoomFactory> ServerHandle<F> {
    /// Has all rooms go on with the services of `factory`, and closes no socket. Each goes on with its
    /// state if the old code hands it over and the new code takes it. If not, it starts anew, and every
    /// client is connected again under its id; or, where rooms are kept, it may go on with the old
    /// code: see [`Keeping::starts_anew`](crate::Keeping::starts_anew). So does a room where the new service cannot start.
    ///
    /// # Errors
    /// When rooms are kept and those of `factory` can't be. All go on as they were then.
    pub fn swap(&self, factory: F) -> Result<(), String> {
        let factory = Arc::new(factory);
        if let Some(archive) = &self.archive {
            archive.keep_code(factory.clone()).map_err(|error| error.to_string())?;
        }
        self.shared.hears_requests.store(factory.hears_requests(), Relaxed);
        for mailbox in self.shards.iter() {
            mailbox.send(ShardMessage::Swap(factory.clone()));
        }
        Ok(())
    }

    /// Has every page that is open loaded again, where
    /// [`ServerConfig::live_pages`](crate::ServerConfig::live_pages) says so.
    pub fn reload_pages(&self) {
        self.shared.page_version.send_modify(|version| *version = version.wrapping_add(1));
    }

    /// Ends the server, see [`RunningServer::run`](crate::RunningServer::run).
    pub fn shutdown(&self) {
        self.stopping.cancel();
    }
}
