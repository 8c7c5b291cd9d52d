//! A server that listens: how it serves, and how it ends.

use super::{
    error::RunError,
    forget::forget_rooms,
    handle::ServerHandle,
    runtime::{HttpRuntime, Termination},
};
use crate::{
    busy,
    factory::RoomFactory,
    http::{self, HttpClient},
    names::shard_of,
    occupancy::Tiers,
    room_http::Asked,
    shard::{Shard, ShardMessage},
    shared::Shared,
};
use std::{
    net::SocketAddr,
    sync::{Arc, mpsc::Sender},
    thread,
    time::{Duration, Instant},
};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::task::TaskTracker;

/// How long a store is waited for that may have failed.
const CLOSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// How much longer than its shards a server waits, so that they can say which rooms they have not saved.
const LAST_WORDS: Duration = Duration::from_millis(250);

/// A server that listens.
#[allow(clippy::vec_box, reason = "a shard moves from thread to thread, and is large")]
pub struct RunningServer<F: RoomFactory> {
    pub(super) runtime: HttpRuntime,
    pub(super) signals: Termination,
    /// Whoever looks after the store stops when this is dropped.
    pub(super) watch: Option<Sender<()>>,
    pub(super) threads: Vec<Box<Shard<F>>>,
    pub(super) shared: Arc<Shared>,
    pub(super) http_clients: UnboundedReceiver<HttpClient>,
    /// Closed when every shard has ended.
    pub(super) ended: UnboundedReceiver<()>,
    pub(super) local_addr: SocketAddr,
    pub(super) handle: ServerHandle<F>,
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
        let outcome = runtime.block_on(serve(&shared, signals, http_clients, &mut ended, handle));
        let failure = shared.health.failure().map(|failure| Err(failure.clone().into()));
        failure.or(outcome).unwrap_or(Ok(()))
    }
}

/// Serves until the server is to end, and then ends it.
async fn serve<F: RoomFactory>(
    shared: &Arc<Shared>,
    signals: Termination,
    http_clients: UnboundedReceiver<HttpClient>,
    ended: &mut UnboundedReceiver<()>,
    handle: ServerHandle<F>,
) -> Result<(), RunError> {
    let ServerHandle { shards, stopping, archive, .. } = handle;
    let tasks = TaskTracker::new();
    let (door, mailboxes) = (shared.clone(), shards.clone());
    let bring = Arc::new(move |asked: Asked| {
        let shard = shard_of(&asked.room_id, mailboxes.len());
        if let Some(mailbox) = mailboxes.get(shard) {
            mailbox.send(ShardMessage::Request(asked));
        }
    });
    let routes = http::routes(door, bring, &stopping);
    let http = http::serve(http_clients, routes, shared.clone(), tasks.clone(), stopping.clone());
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
    shared.occupancy.stop();
    if let Some(archive) = &archive {
        archive.keeper.end_soon();
    }
    for mailbox in shards.iter() {
        mailbox.send(ShardMessage::ShutDown);
    }
    // The shards keep to the timeout themselves, unless a room computes beyond it.
    let deadline = Instant::now() + shared.config.shutdown_timeout + LAST_WORDS;
    let mut shards_have_ended = false;
    let all_ended = async {
        while ended.recv().await.is_some() {}
        shards_have_ended = true;
        tasks.wait().await;
    };
    if tokio::time::timeout_at(deadline.into(), all_ended).await.is_err() {
        tracing::warn!("the server ends before all that it did has");
    }
    let Some(archive) = archive else { return Ok(()) };
    if shared.health.failure().is_none() {
        archive.close();
        let are_lost = !shards_have_ended && !archive.records_events() || archive.has_lost_rooms();
        return if are_lost { Err(RunError::RoomsLost) } else { Ok(()) };
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
    Ok(())
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
        shared.occupancy.tell(&mut told);
    }
}
