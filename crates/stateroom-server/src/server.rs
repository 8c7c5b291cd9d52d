//! The server: from its settings to the end of its last client.

use crate::{
    busy,
    census::Tiers,
    clock::Clock,
    config::ServerConfig,
    factory::RoomFactory,
    health::Failure,
    http::{self, HttpClient},
    keeping::Keeping,
    kept::{archive::Archive, code::Code, keeper::Listener, requests::Answers},
    names::shard_of,
    shard::{Letter, Mailbox, Plan, Shard, Surroundings},
    shared::{FOR_EVER, Shared},
};
use mio::net::TcpListener;
use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, atomic::AtomicU64, mpsc::Sender},
    thread,
    time::{Duration, Instant},
};
use tokio::{
    runtime::{self, Runtime},
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// A server that is not running yet.
///
/// ```no_run
/// # use stateroom::*;
/// # struct Chat;
/// # impl SimpleStateroomService for Chat {
/// #     fn new(_: &str, _: &impl StateroomContext) -> Self { Chat }
/// # }
/// fn main() -> Result<(), stateroom_server::RunError> {
///     stateroom_server::Server::new().serve(SimpleServiceFactory::<Chat>::new())
/// }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Server {
    /// Its settings.
    pub config: ServerConfig,
    /// How many lines of the log could not be written, counted by whoever writes it; told by `/metrics`.
    pub dropped_log_lines: Arc<AtomicU64>,
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

    /// Runs the server until SIGINT or SIGTERM.
    ///
    /// # Errors
    /// When the address cannot be listened on, and as [`RunningServer::run`].
    pub fn serve<F: RoomFactory>(self, factory: F) -> Result<(), RunError> {
        self.bind(factory)?.run()
    }

    /// As [`Server::serve`], for callers that are async.
    ///
    /// # Errors
    /// As [`Server::serve`].
    pub async fn serve_async<F: RoomFactory>(self, factory: F) -> Result<(), RunError> {
        tokio::task::spawn_blocking(|| self.serve(factory)).await.map_err(io::Error::other)?
    }

    /// Begins to listen. Clients are served once [`RunningServer::run`] is called. From now on SIGINT and
    /// SIGTERM do not end the process any more, but have that end as soon as it is called.
    ///
    /// # Errors
    /// When the address cannot be listened on, when the system has no more descriptors or threads, or
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
        let runtime = HttpRuntime::new()?;
        let signals = runtime.termination()?;
        let listener = TcpListener::bind(SocketAddr::new(self.config.ip, self.config.port))?;
        // Without it, small messages wait for the acknowledgement of those before.
        set_nodelay(&listener);
        let local_addr = listener.local_addr()?;
        let count = match self.config.shards {
            0 => thread::available_parallelism().map_or(1, usize::from),
            count => count,
        };
        let shared = Arc::new(Shared::new(self.config, count, self.dropped_log_lines)?);
        let watch = match &keeping {
            None => None,
            Some(keeping) => Some(shared.health.watch(keeping.store.monitor())?),
        };
        let plans = (0..count).map(|_| Plan::new()).collect::<io::Result<Vec<_>>>()?;
        let shards: Arc<[_]> = plans.iter().map(|plan| plan.mailbox.clone()).collect();
        let (http, http_clients) = unbounded_channel();
        let (running, ended) = unbounded_channel();
        let factory = Arc::new(factory);
        let kept = match keeping {
            None => None,
            Some(keeping) => Some(open_archive(keeping, &factory, &shared, &shards)?),
        };
        let archive = kept.as_ref().map(|(archive, _)| archive.clone());
        let surroundings = Surroundings {
            shared: shared.clone(),
            shards: shards.clone(),
            factory,
            kept,
            http,
            running,
        };
        let mut listener = Some(listener);
        let threads = plans
            .into_iter()
            .enumerate()
            .map(|(number, plan)| Shard::new(number, plan, &surroundings, listener.take()))
            .collect::<io::Result<Vec<_>>>()?;
        let handle =
            ServerHandle { shards, stopping: CancellationToken::new(), archive: archive.clone() };
        Ok(RunningServer {
            runtime,
            signals,
            watch,
            threads,
            shared,
            http_clients,
            ended,
            local_addr,
            handle,
        })
    }
}

/// How often it is looked for rooms to forget, at most and at least.
const SOONEST_FORGETTING: Duration = Duration::from_millis(100);
const LATEST_FORGETTING: Duration = Duration::from_secs(10);

/// How many rooms are forgotten each time.
const FORGOTTEN_AT_ONCE: usize = 1_000;

/// What it takes to keep rooms: the way to the store, and the code of new ones.
type Kept<F> = (Arc<Archive<F>>, Code<F>);

/// Opens the archive, and has the rooms in it that have something to do attend at their time.
fn open_archive<F: RoomFactory>(
    keeping: Keeping<F>,
    factory: &Arc<F>,
    shared: &Arc<Shared>,
    shards: &Arc<[Arc<Mailbox<F>>]>,
) -> io::Result<Kept<F>> {
    let given_up = shared.started + shared.config.reconnect_timeout;
    let listener = Arc::new(Mailboxes { shards: shards.clone(), shared: shared.clone() });
    let guard = shared.health.guard("keeper");
    let archive = Archive::new(keeping, shared.clock, given_up, shards.len(), listener, guard)?;
    let code = archive.keep_code(factory.clone()).map_err(io::Error::other)?;
    let mut alarms: Vec<Vec<(Instant, Arc<str>)>> = vec![Vec::new(); shards.len()];
    for (room, vitals) in archive.needing_attention().map_err(io::Error::other)? {
        let timer = vitals.wake_at.map(|wake_at| due(shared.clock, wake_at, vitals.heard_at));
        let absent = (vitals.clients > 0).then_some(given_up);
        if let Some(when) = [timer, absent].into_iter().flatten().min()
            && let Some(alarms) = alarms.get_mut(shard_of(&room, shards.len()))
        {
            alarms.push((when, room));
        }
    }
    for (shard, alarms) in shards.iter().zip(alarms) {
        shard.send(Letter::Alarms(alarms));
    }
    Ok((Arc::new(archive), code))
}

/// When a timer is due that was to fire at `wake_at`, of a room that heard something last at `heard_at`, both
/// in nanoseconds since 1970. If the clock was ahead then, the distance is what counts.
fn due(clock: Clock, wake_at: u64, heard_at: u64) -> Instant {
    let now = Instant::now();
    if heard_at > clock.timestamp(now).nanoseconds() {
        now + Duration::from_nanos(wake_at.saturating_sub(heard_at)).min(FOR_EVER)
    } else {
        clock.instant_of(wake_at)
    }
}

/// Brings the shards what the keeper has to tell them.
struct Mailboxes<F: RoomFactory> {
    shards: Arc<[Arc<Mailbox<F>>]>,
    shared: Arc<Shared>,
}

impl<F: RoomFactory> Listener for Mailboxes<F> {
    fn answers(&self, shard: usize, answers: Answers) {
        // What a shard counts it collects itself; other threads have nowhere else to.
        self.shared.metrics.collect(usize::MAX);
        if let Some(mailbox) = self.shards.get(shard) {
            mailbox.send(Letter::Answers(answers));
        }
    }

    fn failed(&self, reason: &Arc<str>) {
        self.shared.health.fail(Failure::Store(reason.clone()));
    }
}

/// A server that listens.
#[allow(clippy::vec_box, reason = "a shard moves from thread to thread, and is large")]
pub struct RunningServer<F: RoomFactory> {
    runtime: HttpRuntime,
    signals: Termination,
    /// Whoever looks after the store stops when this is dropped.
    watch: Option<Sender<()>>,
    threads: Vec<Box<Shard<F>>>,
    shared: Arc<Shared>,
    http_clients: UnboundedReceiver<HttpClient>,
    /// Closed when every shard has ended.
    ended: UnboundedReceiver<()>,
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
    /// 1001 and waits for them for at most the shutdown timeout. Rooms run on threads of their own,
    /// one per shard; the thread that calls this answers what is plain HTTP.
    ///
    /// # Errors
    /// When the system gives no threads, and when the server cannot go on: then clients are closed with
    /// 1012 first. Whoever supervises it should start it anew, as a process of its own.
    pub fn run(self) -> Result<(), RunError> {
        let Self {
            runtime,
            signals,
            watch: _watch,
            threads,
            shared,
            http_clients,
            mut ended,
            handle,
            ..
        } = self;
        shared.health.begin();
        for (number, shard) in threads.into_iter().enumerate() {
            let thread = busy::thread_with(shared.config.thread_stack_bytes);
            thread.name(format!("stateroom-{number}")).spawn(move || shard.run())?;
        }
        // What is still on its way when this ends, such as a file that cannot be opened, is waited for by
        // nobody.
        runtime.block_on(serve(&shared, signals, http_clients, &mut ended, handle));
        shared.health.failure().map_or(Ok(()), |failure| Err(failure.clone().into()))
    }
}

/// Serves until the server is to end, and then ends it.
async fn serve<F: RoomFactory>(
    shared: &Arc<Shared>,
    signals: Termination,
    http_clients: UnboundedReceiver<HttpClient>,
    ended: &mut UnboundedReceiver<()>,
    handle: ServerHandle<F>,
) {
    let ServerHandle { shards, stopping, archive } = handle;
    let tasks = TaskTracker::new();
    let routes = http::routes(shared.clone());
    let stall_timeout = shared.config.http_stall_timeout;
    let http = http::serve(http_clients, routes, stall_timeout, tasks.clone(), stopping.clone());
    let guard = shared.health.guard("http");
    tasks.spawn(async move {
        http.await;
        guard.done();
    });
    tokio::select! {
        () = stopping.cancelled() => {}
        () = signals => {}
        () = shared.health.failed() => {}
        () = tell_of_rooms(shared) => {}
        () = forget_rooms(archive.as_ref(), &shards, shared) => {}
    }
    stopping.cancel();
    shared.health.stop();
    shared.census.stop();
    for mailbox in shards.iter() {
        mailbox.send(Letter::ShutDown);
    }
    // The shards keep to the timeout themselves, unless a room computes beyond it.
    let deadline = Instant::now() + shared.config.shutdown_timeout;
    let all_ended = async {
        while ended.recv().await.is_some() {}
        tasks.wait().await;
    };
    if tokio::time::timeout_at(deadline.into(), all_ended).await.is_err() {
        tracing::warn!("the server ends before all that it did has");
    }
    let Some(archive) = archive else { return };
    if shared.health.failure().is_none() {
        return archive.close();
    }
    // A disk that has failed may never answer.
    let (tell, closed) = tokio::sync::oneshot::channel();
    let close = move || {
        archive.close();
        let _ = tell.send(());
    };
    if thread::Builder::new().name("close-store".to_owned()).spawn(close).is_ok() {
        let patience = deadline.max(Instant::now() + CLOSE_AFTER_FAILURE);
        let _ = tokio::time::timeout_at(patience.into(), closed).await;
    }
}

/// How long a store is waited for that may have failed.
const CLOSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Why a server has ended, though nobody told it to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It could not begin.
    #[error(transparent)]
    System(#[from] io::Error),
    /// Its store has failed: nothing can be kept any more. What clients were shown is kept; a server that is
    /// started anew brings it back.
    #[error("the store has failed: {reason}; check the disk, and start the server anew")]
    StoreFailed {
        /// What the store said.
        reason: String,
    },
    /// One of its threads is gone.
    #[error(
        "the thread {thread} {}; this is a bug of the server: report it, and start the server anew",
        if *panicked { "panicked" } else { "has ended" }
    )]
    ThreadGone {
        /// The name of the thread.
        thread: String,
        /// Whether it panicked.
        panicked: bool,
    },
}

impl From<Failure> for RunError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Store(reason) => RunError::StoreFailed { reason: reason.to_string() },
            Failure::Panicked { thread } => {
                RunError::ThreadGone { thread: thread.to_string(), panicked: true }
            }
            Failure::Ended { thread } => {
                RunError::ThreadGone { thread: thread.to_string(), panicked: false }
            }
        }
    }
}

/// What answers plain HTTP and hears the system's signals. Nothing waits for what it has yet to do when it
/// is dropped.
struct HttpRuntime(Option<Runtime>);

/// Returns when the process is asked to end.
type Termination = Pin<Box<dyn Future<Output = ()> + Send>>;

impl HttpRuntime {
    fn new() -> io::Result<Self> {
        Ok(HttpRuntime(Some(runtime::Builder::new_current_thread().enable_all().build()?)))
    }

    fn block_on(&self, future: impl Future<Output = ()>) {
        if let Some(runtime) = &self.0 {
            runtime.block_on(future);
        }
    }

    /// Hears from now on whether the process is asked to end.
    fn termination(&self) -> io::Result<Termination> {
        let _context = self.0.as_ref().map(Runtime::enter);
        Ok(Box::pin(termination()?))
    }
}

impl Drop for HttpRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Tells the log where the rooms are, for ever.
async fn tell_of_rooms(shared: &Shared) {
    let every = shared.config.log_rooms_every;
    let mut told = Tiers::default();
    loop {
        if every.is_zero() {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(every).await;
        shared.census.tell(&mut told);
    }
}

/// Has rooms forgotten that nobody has visited for long, for ever.
async fn forget_rooms<F: RoomFactory>(
    archive: Option<&Arc<Archive<F>>>,
    shards: &[Arc<Mailbox<F>>],
    shared: &Shared,
) {
    let (Some(archive), Some(after)) = (archive, shared.config.forget_after) else {
        return std::future::pending().await;
    };
    loop {
        tokio::time::sleep(after.clamp(SOONEST_FORGETTING, LATEST_FORGETTING)).await;
        let now = shared.clock.timestamp(Instant::now());
        let before = now.before(after).nanoseconds();
        let archive = archive.clone();
        let found =
            tokio::task::spawn_blocking(move || archive.forgettable(before, FORGOTTEN_AT_ONCE));
        let rooms = match found.await {
            Ok(Ok(rooms)) => rooms,
            Ok(Err(error)) => {
                tracing::warn!(%error, "it is not known which rooms could be forgotten");
                continue;
            }
            Err(_) => continue,
        };
        let mut of_shards = vec![Vec::new(); shards.len()];
        for room in rooms {
            if let Some(rooms) = of_shards.get_mut(shard_of(&room, shards.len())) {
                rooms.push(room);
            }
        }
        for (shard, rooms) in shards.iter().zip(of_shards) {
            shard.send(Letter::Forget(rooms));
        }
    }
}

/// Controls a server while it runs.
pub struct ServerHandle<F: RoomFactory> {
    archive: Option<Arc<Archive<F>>>,
    shards: Arc<[Arc<Mailbox<F>>]>,
    stopping: CancellationToken,
}

impl<F: RoomFactory> Clone for ServerHandle<F> {
    fn clone(&self) -> Self {
        ServerHandle {
            archive: self.archive.clone(),
            shards: self.shards.clone(),
            stopping: self.stopping.clone(),
        }
    }
}

impl<F: RoomFactory> ServerHandle<F> {
    /// Has all rooms go on with the services of `factory`, and closes no socket. Each goes on with its
    /// state if the old code hands it over and the new code takes it. If not, it starts anew, and every
    /// client is connected again under its id; or, where rooms are kept, it may go on with the old
    /// code: see [`Keeping::starts_anew`]. So does a room where the new service cannot start.
    ///
    /// # Errors
    /// When rooms are kept and those of `factory` can't be. All go on as they were then.
    pub fn swap(&self, factory: F) -> Result<(), String> {
        let factory = Arc::new(factory);
        if let Some(archive) = &self.archive {
            archive.keep_code(factory.clone())?;
        }
        for mailbox in self.shards.iter() {
            mailbox.send(Letter::Swap(factory.clone()));
        }
        Ok(())
    }

    /// Ends the server, see [`RunningServer::run`].
    pub fn shutdown(&self) {
        self.stopping.cancel();
    }
}

/// Has every connection that is accepted send at once: on Linux they take this after their listener.
fn set_nodelay(_listener: &TcpListener) {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::net::sockopt::set_tcp_nodelay(_listener, true) {
        tracing::warn!(%error, "small messages may be late: TCP_NODELAY cannot be set");
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
