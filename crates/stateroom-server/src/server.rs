//! The server: from its settings to the end of its last client.

use crate::{RoomFactory, ServerConfig, http, listener, rooms::Rooms};
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpListener, runtime};
use tokio_util::sync::CancellationToken;

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

    /// Sets the port to listen on; 0 takes any free one.
    #[must_use]
    pub fn with_port(mut self, port: u16) -> Self {
        self.config.port = port;
        self
    }

    /// Sets the address to listen on.
    #[must_use]
    pub fn with_ip(mut self, ip: std::net::IpAddr) -> Self {
        self.config.ip = ip;
        self
    }

    /// Runs the server until SIGINT or SIGTERM, on threads of its own: one per core.
    ///
    /// # Errors
    /// When the address cannot be listened on, or the system gives no threads.
    pub fn serve<F: RoomFactory>(self, factory: F) -> io::Result<()> {
        runtime()?.block_on(self.serve_async(factory))
    }

    /// Runs the server until SIGINT or SIGTERM, on the runtime of the caller, which must be a
    /// multi-threaded one for busy rooms not to hold up others.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn serve_async<F: RoomFactory>(self, factory: F) -> io::Result<()> {
        self.bind(factory).await?.run().await
    }

    /// Begins to listen. Clients are served once [`RunningServer::run`] is called.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn bind<F: RoomFactory>(self, factory: F) -> io::Result<RunningServer<F>> {
        let listener = TcpListener::bind((self.config.ip, self.config.port)).await?;
        let local_addr = listener.local_addr()?;
        let handle = ServerHandle {
            rooms: Rooms::new(self.config, factory),
            stopping: CancellationToken::new(),
        };
        Ok(RunningServer { listener, local_addr, handle })
    }
}

/// The runtime that a server wants: a thread per core, which looks at its sockets often, and spare
/// threads for the rooms that are busy.
///
/// # Errors
/// When the system gives no threads.
pub fn runtime() -> io::Result<runtime::Runtime> {
    runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("stateroom")
        // The sockets are looked at after so many turns of rooms, each of which may take 2 ms.
        .event_interval(3)
        .build()
}

/// A server that listens.
pub struct RunningServer<F> {
    listener: TcpListener,
    local_addr: SocketAddr,
    handle: ServerHandle<F>,
}

impl<F: RoomFactory> RunningServer<F> {
    /// The address it listens on, with the port that was taken.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// What controls this server while it runs.
    #[must_use]
    pub fn handle(&self) -> ServerHandle<F> {
        self.handle.clone()
    }

    /// Serves until [`ServerHandle::shutdown`], SIGINT or SIGTERM, then closes every client with
    /// 1001 and waits for them for at most the shutdown timeout.
    ///
    /// # Errors
    /// When the system's signals cannot be heard.
    pub async fn run(self) -> io::Result<()> {
        let Self { listener, handle, .. } = self;
        let ServerHandle { rooms, stopping } = handle.clone();
        let signals = termination()?;
        let listening = listener::listen(
            listener,
            http::routes(rooms.clone()),
            rooms.tasks.clone(),
            stopping.clone(),
        );
        tokio::select! {
            () = listening => {}
            () = signals => handle.shutdown(),
        }
        rooms.shut_down();
        if tokio::time::timeout(rooms.config.shutdown_timeout, rooms.tasks.wait()).await.is_err() {
            tracing::warn!("some clients did not take their leave in time");
        }
        Ok(())
    }
}

/// Controls a server while it runs.
pub struct ServerHandle<F> {
    rooms: Arc<Rooms<F>>,
    stopping: CancellationToken,
}

impl<F> Clone for ServerHandle<F> {
    fn clone(&self) -> Self {
        ServerHandle { rooms: self.rooms.clone(), stopping: self.stopping.clone() }
    }
}

impl<F: RoomFactory> ServerHandle<F> {
    /// Has all rooms go on with the services of `factory`: live ones start anew, every client is
    /// connected again under its id, and no socket is closed. A room where the new service cannot
    /// start goes on with the old one.
    pub fn swap(&self, factory: F) {
        self.rooms.swap(factory);
    }

    /// Ends the server, see [`RunningServer::run`].
    pub fn shutdown(&self) {
        self.stopping.cancel();
    }
}

/// Ends when the process is asked to.
fn termination() -> io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        Ok(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        })
    }
    #[cfg(not(unix))]
    Ok(async {
        // Without this signal the server runs on until it is ended from outside.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}
