//! A server before it runs: its settings, and how it begins to listen.

use super::{bind::bind, running::RunningServer};
use crate::{config::ServerConfig, factory::RoomFactory, host::resolve_host, keeping::Keeping};
use std::{
    io,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

/// A server that is not running yet.
///
/// ```no_run
/// # use stateroom::*;
/// # struct Chat;
/// # impl SimpleStateroomService for Chat {
/// #     fn new(_: &str, _: &impl StateroomContext) -> Self { Chat }
/// # }
/// fn main() -> std::io::Result<()> {
///     stateroom_server::Server::new().serve(SimpleServiceFactory::<Chat>::new())
/// }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Server {
    /// Its settings.
    pub config: ServerConfig,
    /// How many lines of the log could not be written, counted by whoever writes it; told by `/metrics`.
    pub dropped_log_lines: Arc<AtomicU64>,
    /// What it was asked for that cannot be.
    wrong: Option<String>,
}

impl Server {
    /// A server with the default settings.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Serves the files of a folder at `/`.
    #[must_use]
    pub fn with_static_path(mut self, static_path: Option<String>) -> Self {
        self.config.static_path = static_path.map(Into::into);
        self
    }

    /// Serves the wasm-bindgen client in a folder at `/client`.
    #[must_use]
    pub fn with_client_path(mut self, client_path: Option<String>) -> Self {
        self.config.client_path = client_path.map(Into::into);
        self
    }

    /// Sets how many seconds a client may be silent before it is pinged.
    #[must_use]
    pub fn with_heartbeat_interval(mut self, duration_seconds: u64) -> Self {
        self.config.heartbeat_interval = Duration::from_secs(duration_seconds);
        self
    }

    /// Sets how many seconds a client may be silent before it is taken for dead.
    #[must_use]
    pub fn with_heartbeat_timeout(mut self, duration_seconds: u64) -> Self {
        self.config.heartbeat_timeout = Duration::from_secs(duration_seconds);
        self
    }

    /// Sets the port to listen on; 0 takes any free one. One that cannot be is told by [`Server::bind`].
    #[must_use]
    pub fn with_port(mut self, port: u32) -> Self {
        match u16::try_from(port) {
            Ok(port) => self.config.port = port,
            Err(_) => self.wrong = Some(format!("there is no port {port}: they end at 65535")),
        }
        self
    }

    /// Sets the address to listen on, an IP address or a name such as `localhost`. One that cannot be is told
    /// by [`Server::bind`].
    #[must_use]
    pub fn with_ip(mut self, ip: String) -> Self {
        match resolve_host(&ip) {
            Ok(ip) => self.config.ip = ip,
            Err(error) => self.wrong = Some(error.to_string()),
        }
        self
    }

    /// Runs the server until SIGINT or SIGTERM. Its rooms live in memory, and are gone when it ends; for
    /// others see [`Server::bind_keeping`].
    ///
    /// # Errors
    /// When the address cannot be listened on, and as [`RunningServer::run`]: its error is the cause then.
    pub fn serve<F: RoomFactory>(self, factory: F) -> io::Result<()> {
        Ok(self.bind(factory)?.run()?)
    }

    /// As [`Server::serve`], for callers that are async.
    ///
    /// # Errors
    /// As [`Server::serve`].
    pub async fn serve_async<F: RoomFactory>(self, factory: F) -> io::Result<()> {
        tokio::task::spawn_blocking(|| self.serve(factory)).await.map_err(io::Error::other)?
    }

    /// Begins to listen. Clients are served once [`RunningServer::run`] is called. From now on SIGINT and
    /// SIGTERM do not end the process any more, but have that end as soon as it is called.
    ///
    /// # Errors
    /// When the address cannot be listened on or is none, when the system has no more descriptors or threads, or
    /// when its signals cannot be heard.
    pub fn bind<F: RoomFactory>(self, factory: F) -> io::Result<RunningServer<F>> {
        self.bind_with(factory, None)
    }

    /// As [`Server::bind`], for rooms that outlive the server: each goes on where it was when it is
    /// next needed. Once the server runs, nobody else may write to the store.
    ///
    /// # Errors
    /// As [`Server::bind`]; when the rooms of `factory` can't be kept; and when the store can't be
    /// read.
    pub fn bind_keeping<F: RoomFactory>(
        self,
        factory: F,
        keeping: Keeping<F>,
    ) -> io::Result<RunningServer<F>> {
        self.bind_with(factory, Some(keeping))
    }

    fn bind_with<F: RoomFactory>(
        self,
        factory: F,
        keeping: Option<Keeping<F>>,
    ) -> io::Result<RunningServer<F>> {
        match self.wrong {
            Some(problem) => Err(io::Error::new(io::ErrorKind::InvalidInput, problem)),
            None => bind(self.config, self.dropped_log_lines, factory, keeping),
        }
    }
}
