//! What a page of another origin is told, so that its browser lets it read the answer (CORS).

use super::read::{METHODS, plain};
use crate::{
    config::ServerConfig,
    request::{self, Rejection},
};
use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse as _, Response},
};

/// What a page may send besides what it always may.
const HEADERS: &str = "authorization, content-type, idempotency-key, if-match, if-none-match";

/// What it may read besides what it always may.
const EXPOSED: &str = "content-disposition, etag, link, location, retry-after";

/// How long a browser may remember what it was told, in seconds.
const REMEMBERED: &str = "600";

/// Answers the question what a page may ask for.
pub(super) fn preflight(parts: &Parts, config: &ServerConfig) -> Result<Response, Rejection> {
    request::check_origin(&plain(&parts.headers), config)?;
    let headers = [
        (header::ALLOW, METHODS),
        (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS),
        (header::ACCESS_CONTROL_MAX_AGE, REMEMBERED),
    ];
    Ok((StatusCode::NO_CONTENT, headers).into_response())
}

/// Lets the page read the answer that has asked for it, if it may.
pub(super) fn allow(asked: &HeaderMap, config: &ServerConfig, answer: &mut HeaderMap) {
    let mut add = |name: HeaderName, value: HeaderValue| answer.append(name, value);
    add(header::VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = asked.get(header::ORIGIN)
        && request::check_origin(&plain(asked), config).is_ok()
    {
        add(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        add(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    }
}
