//! From an HTTP request to a client in a room: who may come in, and into which room.

use crate::{
    room_task::Arrival,
    rooms::{Refusal, RoomFactory, Rooms},
    websocket,
};
use axum::{
    extract::{Path, Query, Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use tokio::net::TcpStream;

/// The room that `/ws` opens.
const DEFAULT_ROOM: &str = "default";

/// The longest room id and the longest token, in bytes.
const NAME_BYTES: usize = 128;

/// The query of a WebSocket's address.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct JoinQuery {
    token: Option<String>,
}

/// Why a request is answered with an error instead of a WebSocket.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Rejection {
    #[error("a room id must have 1 to 128 bytes; this one has {0}")]
    RoomId(usize),
    #[error("a token must have 1 to 128 bytes; this one has {0}")]
    Token(usize),
    #[error("{0}")]
    Handshake(#[from] websocket::HandshakeError),
    #[error("{0}; try again later")]
    Refused(#[from] Refusal),
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        let text = self.to_string();
        match self {
            Rejection::RoomId(_) | Rejection::Token(_) => {
                (StatusCode::BAD_REQUEST, text).into_response()
            }
            Rejection::Handshake(websocket::HandshakeError::BadKey) => {
                (StatusCode::BAD_REQUEST, text).into_response()
            }
            Rejection::Handshake(_) => {
                let headers =
                    [(header::SEC_WEBSOCKET_VERSION, "13"), (header::UPGRADE, "websocket")];
                (StatusCode::UPGRADE_REQUIRED, headers, text).into_response()
            }
            Rejection::Refused(_) => {
                let headers = [(header::RETRY_AFTER, "5")];
                (StatusCode::SERVICE_UNAVAILABLE, headers, text).into_response()
            }
        }
    }
}

/// `GET /ws`: joins the room `default`.
pub(crate) async fn join_default<F: RoomFactory>(
    State(rooms): State<Arc<Rooms<F>>>,
    Query(query): Query<JoinQuery>,
    request: Request,
) -> Result<Response, Rejection> {
    admit(rooms, DEFAULT_ROOM, query.token, request)
}

/// `GET /ws/{room_id}`: joins that room.
pub(crate) async fn join<F: RoomFactory>(
    State(rooms): State<Arc<Rooms<F>>>,
    Path(room_id): Path<String>,
    Query(query): Query<JoinQuery>,
    request: Request,
) -> Result<Response, Rejection> {
    admit(rooms, &room_id, query.token, request)
}

/// `GET /ws/`: a room id is missing.
pub(crate) async fn join_nameless() -> Rejection {
    Rejection::RoomId(0)
}

fn admit<F: RoomFactory>(
    rooms: Arc<Rooms<F>>,
    room_id: &str,
    token: Option<String>,
    mut request: Request,
) -> Result<Response, Rejection> {
    if !(1..=NAME_BYTES).contains(&room_id.len()) {
        return Err(Rejection::RoomId(room_id.len()));
    }
    if let Some(length) = token.as_ref().map(String::len)
        && !(1..=NAME_BYTES).contains(&length)
    {
        return Err(Rejection::Token(length));
    }
    let accept = websocket::accept(request.method(), request.headers())?;
    let seat = rooms.reserve(room_id).inspect_err(|refusal| {
        tracing::warn!(room = room_id, reason = %refusal, "a client was turned away");
    })?;
    let upgrade = hyper::upgrade::on(&mut request);
    rooms.tasks.clone().spawn(async move {
        // Whoever hangs up before the handshake is done was never here: the seat is dropped.
        let Ok(upgraded) = upgrade.await else { return };
        let Some((stream, sent_early)) = tcp_stream(upgraded) else { return };
        rooms.join(Arrival { stream, sent_early, token, seat });
    });
    let headers = [
        (header::UPGRADE, HeaderValue::from_static("websocket")),
        (header::CONNECTION, HeaderValue::from_static("Upgrade")),
        (header::SEC_WEBSOCKET_ACCEPT, accept),
    ];
    Ok((StatusCode::SWITCHING_PROTOCOLS, headers).into_response())
}

/// The socket below an upgraded connection, and what had been read from it already.
fn tcp_stream(upgraded: Upgraded) -> Option<(TcpStream, bytes::Bytes)> {
    match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(parts) => Some((parts.io.into_inner(), parts.read_buf)),
        Err(_) => {
            tracing::error!("an upgraded connection was not a TCP stream: this is a bug");
            None
        }
    }
}
