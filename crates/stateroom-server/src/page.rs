//! What is answered where no room is: a page, or that there is none.

use crate::{
    pages::{self, Pages},
    shared::Shared,
};
use axum::{
    extract::Request,
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
};

/// Answers with a page, or says that there is none.
pub(crate) async fn page(shared: &Shared, pages: Option<Pages>, request: Request) -> Response {
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
pub(crate) async fn not_a_websocket() -> impl IntoResponse {
    let headers = [(header::SEC_WEBSOCKET_VERSION, "13"), (header::UPGRADE, "websocket")];
    let text = "this address is for WebSockets: open it with `new WebSocket(...)`";
    (StatusCode::UPGRADE_REQUIRED, headers, text)
}
