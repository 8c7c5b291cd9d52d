//! The HTTP routes of a server.

use crate::{
    admission,
    rooms::{RoomFactory, Rooms},
};
use axum::{Json, Router, extract::State, response::IntoResponse, routing::get};
use std::sync::Arc;
use tower_http::services::ServeDir;

/// What `/` answers where no static files are served.
const NO_PAGE: &str = "Stateroom is running. It serves no page; open a WebSocket at /ws/ROOM.\n";

/// Every route.
pub(crate) fn routes<F: RoomFactory>(rooms: Arc<Rooms<F>>) -> Router {
    let config = &rooms.config;
    let mut router = Router::new()
        .route("/ws", get(admission::join_default::<F>))
        .route("/ws/", get(admission::join_nameless))
        .route("/ws/{room_id}", get(admission::join::<F>))
        .route("/status", get(status::<F>))
        .route("/healthz", get("ok"));
    if let Some(client_path) = &config.client_path {
        router = router.nest_service("/client", ServeDir::new(client_path));
    }
    router = match &config.static_path {
        Some(static_path) => router.fallback_service(ServeDir::new(static_path)),
        None => router.route("/", get(NO_PAGE)),
    };
    router.with_state(rooms)
}

async fn status<F: RoomFactory>(State(rooms): State<Arc<Rooms<F>>>) -> impl IntoResponse {
    Json(rooms.status())
}
