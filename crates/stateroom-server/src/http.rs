//! What is served over plain HTTP: the routes, and the connections that shards pass on.

use crate::{
    connections::Permit,
    live_pages::{self, LivePages},
    metrics, occupancy,
    pages::{self, Pages},
    shared::Shared,
};
use axum::{
    Json, Router,
    extract::{Request, State},
    handler::HandlerWithoutStateExt as _,
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use hyper::server::conn::http1;
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

/// Every route, of a server that may be `stopping`.
pub(crate) fn routes(shared: Arc<Shared>, stopping: &CancellationToken) -> Router {
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
        let answer = move |request: Request| page(shared.clone(), Some(pages.clone()), request);
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
            let no_page = |State(shared), request: Request| page(shared, None, request);
            router.route("/", get(NO_PAGE)).fallback(no_page)
        }
    };
    // And one that cannot be opened.
    let timeout = TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, time);
    router.layer(timeout).with_state(shared)
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

/// Answers with a page, or says that there is none.
async fn page(shared: Arc<Shared>, pages: Option<Pages>, request: Request) -> Response {
    let path = request.uri().path();
    let opens_a_room = shared.config.room_paths.iter().any(|it| it.room(path).is_some());
    let answer = match pages {
        Some(pages) => pages.answer(request).await,
        None => {
            let is_head = request.method() == Method::HEAD;
            pages::not_found(request.headers().get(header::ACCEPT), is_head)
        }
    };
    if opens_a_room && answer.status() == StatusCode::NOT_FOUND {
        return not_a_websocket().await.into_response();
    }
    answer
}

/// A WebSocket's handshake is answered by the shards, so what comes here is none.
async fn not_a_websocket() -> impl IntoResponse {
    let headers = [(header::SEC_WEBSOCKET_VERSION, "13"), (header::UPGRADE, "websocket")];
    let text = "this address is for WebSockets: open it with `new WebSocket(...)`";
    (StatusCode::UPGRADE_REQUIRED, headers, text)
}

/// Serves the connections that come in, until `stopping`; `tasks` has those that go on.
pub(crate) async fn serve(
    mut clients: UnboundedReceiver<HttpClient>,
    routes: Router,
    stall_timeout: Duration,
    tasks: TaskTracker,
    stopping: CancellationToken,
) {
    while let Some(Some(client)) = stopping.run_until_cancelled(clients.recv()).await {
        let (routes, stopping) = (routes.clone(), stopping.clone());
        tasks.spawn(async move {
            if let Err(error) = answer(client, routes, stall_timeout, stopping).await {
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
    stall_timeout: Duration,
    stopping: CancellationToken,
) -> io::Result<()> {
    let HttpClient { stream, read, permit: _permit } = client;
    #[cfg(unix)]
    {
        // The system tells of progress when a good part of its buffer is free. Where that is refused, whoever
        // downloads slowly may seem to stand still.
        let _ = rustix::net::sockopt::set_socket_send_buffer_size(&stream, SEND_BUFFER);
    }
    let (from, to) = TcpStream::from_std(stream)?.into_split();
    // Of a request nothing but its head is read.
    let mut to = TimeoutWriter::new(to);
    to.set_timeout(Some(stall_timeout));
    let stream = Box::pin(tokio::io::join(io::Cursor::new(read).chain(from), to));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_TIMEOUT)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
    let mut connection = std::pin::pin!(connection);
    if stopping.run_until_cancelled(connection.as_mut()).await.is_none() {
        connection.as_mut().graceful_shutdown();
        // What is not HTTP ends with hyper's answer; there is nobody to report it to.
        let _ = connection.await;
    }
    Ok(())
}
