//! Accepts TCP connections and speaks HTTP on them, until a WebSocket takes over.

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use std::{io, pin::pin, time::Duration};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long a client may take to send its request's head.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the listener rests when the system has no descriptor left for another connection.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections until `stopping`.
pub(crate) async fn listen(
    listener: TcpListener,
    routes: Router,
    tasks: TaskTracker,
    stopping: CancellationToken,
) {
    let mut exhausted = false;
    while let Some(accepted) = stopping.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, _)) => {
                exhausted = false;
                tasks.spawn(serve(stream, routes.clone(), stopping.clone()));
            }
            Err(error) if is_the_clients(&error) => {}
            Err(error) => {
                if !exhausted {
                    tracing::error!(%error, "no further connection can be accepted for now");
                }
                exhausted = true;
                tokio::time::sleep(EXHAUSTED_PAUSE).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, routes: Router, stopping: CancellationToken) {
    // Without it, small messages wait for the acknowledgement of those before.
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_TIMEOUT)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes))
        .with_upgrades();
    let mut connection = pin!(connection);
    // What is not HTTP ends here, with hyper's answer; there is nobody to report it to.
    if stopping.run_until_cancelled(connection.as_mut()).await.is_none() {
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
}

/// Whether accepting failed because that one client hung up.
fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
