//! What is served over plain HTTP: the routes, and the connections that shards pass on.

use crate::{
    connections::Permit,
    forwarded,
    live_pages::{self, LivePages},
    metrics, occupancy,
    page::{not_a_websocket, page},
    pages::Pages,
    room_http::{self, Abandoned, Bring, ClientAddress, Door, Waiting},
    shared::Shared,
};
use axum::{
    Json, Router,
    extract::{Request, State},
    handler::HandlerWithoutStateExt as _,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::{any, get},
};
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use std::{
    io, net,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{io::AsyncReadExt as _, net::TcpStream, sync::mpsc::UnboundedReceiver};
use tokio_io_timeout::TimeoutWriter;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_http::timeout::{ResponseBodyTimeout, TimeoutLayer};

/// What `/` answers where no static files are served.
const NO_PAGE: &str = "Stateroom is running. It serves no page; open a WebSocket at /ws/ROOM.\n";

/// How long a client may take to send its request's head.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// How much of an answer the system takes in advance of its client, in bytes. It grows to several MiB by
/// itself, which a slow client takes minutes for.
#[cfg(unix)]
const SEND_BUFFER: usize = 128 * 1024;

/// A connection that is no WebSocket's.
#[derive(Debug)]
pub(crate) struct HttpClient {
    pub(crate) stream: net::TcpStream,
    /// What has been read from it already.
    pub(crate) read: Vec<u8>,
    /// Its part in the count of all connections.
    pub(crate) permit: Permit,
}

/// Every route, of a server that may be `stopping`; what is for a room is brought to it.
pub(crate) fn routes(shared: Arc<Shared>, bring: Bring, stopping: &CancellationToken) -> Router {
    let config = &shared.config;
    let version = || shared.page_version.subscribe();
    let live = config.live_pages.then(|| LivePages::new(version(), stopping.clone()));
    let mut router = Router::new()
        .route("/ws", get(not_a_websocket))
        .route("/ws/", get(not_a_websocket))
        .route("/ws/{room_id}", get(not_a_websocket))
        .route("/status", get(status))
        .route("/metrics", get(metrics))
        .route("/healthz", get(health));
    // A file that cannot be read on in time, such as a pipe that nobody writes to any more.
    let time = config.http_stall_timeout;
    let folder = |path: &Path| {
        let (shared, pages) = (shared.clone(), Pages::new(path, live.clone()));
        let answer = move |request: Request| {
            let (shared, pages) = (shared.clone(), pages.clone());
            async move { page(&shared, Some(pages), request).await }
        };
        ResponseBodyTimeout::new(answer.into_service(), time)
    };
    if let Some(live) = live.clone() {
        router = router.route(live_pages::PATH, get(move || live.clone().versions()));
    }
    if let Some(client_path) = &config.client_path {
        router = router.nest_service("/client", folder(client_path));
    }
    router = match &config.static_path {
        Some(static_path) => router.fallback_service(folder(static_path)),
        None => {
            let no_page = |State(shared): State<Arc<Shared>>, request: Request| async move {
                page(&shared, None, request).await
            };
            router.route("/", get(NO_PAGE)).fallback(no_page)
        }
    };
    // And one that cannot be opened.
    let timeout = TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, time);
    let pages = config.static_path.as_deref().map(|path| Pages::new(path, live.clone()));
    let waiting = Arc::new(Waiting::new(config.max_requests, config.max_request_bytes));
    let door = Door { shared: shared.clone(), waiting, bring, pages };
    let room = any(move |request: Request| room_http::answer(door.clone(), request));
    let [one, root, rest] =
        ["{id}", "{id}/", "{id}/{*path}"].map(|rest| format!("{}{rest}", room_http::PREFIX));
    // A room has a time of its own.
    let router = router.layer(timeout).route(&one, room.clone()).route(&root, room.clone());
    router.route(&rest, room).with_state(shared)
}

/// What `/status` tells.
#[derive(serde::Serialize)]
struct Status {
    #[serde(flatten)]
    occupancy: occupancy::Status,
    /// As `/healthz`: `ok`, or what is wrong.
    health: String,
}

async fn status(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    let problem = shared.health.problem(Instant::now());
    let health = problem.unwrap_or_else(|| "ok".to_owned());
    Json(Status { occupancy: shared.occupancy.status(), health })
}

async fn metrics(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    let text = metrics::text(&shared).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok::<_, StatusCode>(([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text))
}

async fn health(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    match shared.health.problem(Instant::now()) {
        None => (StatusCode::OK, "ok".to_owned()),
        Some(problem) => (StatusCode::SERVICE_UNAVAILABLE, problem),
    }
}

/// Serves the connections that come in, until `stopping`; `tasks` has those that go on.
pub(crate) async fn serve(
    mut clients: UnboundedReceiver<HttpClient>,
    routes: Router,
    shared: Arc<Shared>,
    tasks: TaskTracker,
    stopping: CancellationToken,
) {
    while let Some(Some(client)) = stopping.run_until_cancelled(clients.recv()).await {
        let (routes, shared, stopping) = (routes.clone(), shared.clone(), stopping.clone());
        tasks.spawn(async move {
            if let Err(error) = answer(client, routes, &shared, stopping).await {
                tracing::debug!(%error, "an HTTP connection ended early");
            }
        });
    }
    tasks.close();
}

/// Answers one request. Another one on the same connection might be a WebSocket's handshake, which
/// only a shard can answer, so there is none.
async fn answer(
    client: HttpClient,
    routes: Router,
    shared: &Shared,
    stopping: CancellationToken,
) -> io::Result<()> {
    let HttpClient { stream, read, permit: _permit } = client;
    #[cfg(unix)]
    {
        // The system tells of progress when a good part of its buffer is free. Where that is refused, whoever
        // downloads slowly may seem to stand still.
        let _ = rustix::net::sockopt::set_socket_send_buffer_size(&stream, SEND_BUFFER);
    }
    let peer = stream.peer_addr().ok().map(|peer| peer.ip());
    let told = |peer| forwarded::client_address(peer, &read, &shared.config.trusted_proxies);
    let address = peer.map(|peer| ClientAddress(told(peer).unwrap_or(peer)));
    let (from, to) = TcpStream::from_std(stream)?.into_split();
    let mut to = TimeoutWriter::new(to);
    to.set_timeout(Some(shared.config.http_stall_timeout));
    let stream = Box::pin(tokio::io::join(io::Cursor::new(read).chain(from), to));
    let routes = TowerToHyperService::new(routes);
    let service = service_fn(|mut request: hyper::Request<Incoming>| {
        if let Some(address) = address {
            request.extensions_mut().insert(address);
        }
        let answered = routes.call(request);
        async move {
            let Ok(answer) = answered.await;
            match answer.extensions().get::<Abandoned>() {
                Some(abandoned) => Err(*abandoned),
                None => Ok(answer),
            }
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_TIMEOUT)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    if stopping.run_until_cancelled(connection.as_mut()).await.is_none() {
        connection.as_mut().graceful_shutdown();
        // What is not HTTP ends with hyper's answer; there is nobody to report it to.
        let _ = connection.await;
    }
    Ok(())
}
