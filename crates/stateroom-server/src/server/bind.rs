//! How a server begins: it listens, opens the store, and makes its shards.

use super::{
    archive::open_archive, handle::ServerHandle, running::RunningServer, runtime::HttpRuntime,
};
use crate::{
    config::ServerConfig,
    factory::RoomFactory,
    keeping::Keeping,
    shard::{Plan, Shard, Surroundings},
    shared::Shared,
};
use mio::net::TcpListener;
use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
};
use tokio::sync::mpsc::unbounded_channel;
use tokio_util::sync::CancellationToken;

/// Begins to listen, and makes all that the server consists of.
pub(super) fn bind<F: RoomFactory>(
    config: ServerConfig,
    dropped_log_lines: Arc<AtomicU64>,
    factory: F,
    keeping: Option<Keeping<F>>,
) -> io::Result<RunningServer<F>> {
    let runtime = HttpRuntime::new()?;
    let signals = runtime.termination()?;
    let listener = TcpListener::bind(SocketAddr::new(config.ip, config.port))?;
    // Without it, small messages wait for the acknowledgement of those before.
    set_nodelay(&listener);
    let local_addr = listener.local_addr()?;
    let count = match config.shards {
        0 => thread::available_parallelism().map_or(1, usize::from),
        count => count,
    };
    let shared = Arc::new(Shared::new(config, count, dropped_log_lines)?);
    let watch = match &keeping {
        None => None,
        Some(keeping) => Some(shared.health.watch(keeping.store.monitor())?),
    };
    let plans = (0..count).map(|_| Plan::new()).collect::<io::Result<Vec<_>>>()?;
    let shards: Arc<[_]> = plans.iter().map(|plan| plan.mailbox.clone()).collect();
    let (http, http_clients) = unbounded_channel();
    let (running, ended) = unbounded_channel();
    shared.hears_requests.store(factory.hears_requests(), Relaxed);
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
    let handle = ServerHandle {
        shards,
        shared: shared.clone(),
        stopping: CancellationToken::new(),
        archive: archive.clone(),
    };
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

/// Has every connection that is accepted send at once: on Linux they take this after their listener.
fn set_nodelay(_listener: &TcpListener) {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::net::sockopt::set_tcp_nodelay(_listener, true) {
        tracing::warn!(%error, "small messages may be late: TCP_NODELAY cannot be set");
    }
}
