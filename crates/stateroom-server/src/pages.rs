//! The pages that are served over plain HTTP: the files of a folder, and what is said where there is none.

use crate::{live_pages::LivePages, ranges::Asked, sometimes::Sometimes};
use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header, request::Parts},
    response::{IntoResponse, Response},
};
use std::{
    io::{self, ErrorKind},
    path::Path,
    sync::Arc,
    time::Instant,
};
use tower_http::services::ServeDir;

/// The folder's own page for what is not there.
const NOT_FOUND: &str = "/404.html";

const NOT_FOUND_TEXT: &str = "There is no page at this address.\n\
    Rooms are opened as WebSockets, at /ws/ROOM_ID; /status tells how the server is doing.\n";

const NOT_FOUND_PAGE: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
    <meta name=\"viewport\" content=\"width=device-width\">\n\
    <meta name=\"color-scheme\" content=\"light dark\">\n<title>Not found</title>\n\
    <body style=\"font: 1rem/1.5 system-ui; max-width: 36rem; margin: 4rem auto; padding: 0 1rem\">\n\
    <h1>Not found</h1>\n<p>There is no page at this address. <a href=\"/\">The first page</a></p>\n\
    <p>Rooms are opened as WebSockets, at <code>/ws/ROOM_ID</code>; <a href=\"/status\">/status</a> tells \
    how the server is doing.</p>\n</body>\n</html>\n";

/// A folder whose files are served.
#[derive(Debug, Clone)]
pub(crate) struct Pages {
    files: ServeDir,
    /// Where pages that are open are loaded again when they have changed.
    live: Option<LivePages>,
    unreadable: Arc<Sometimes>,
}

impl Pages {
    pub(crate) fn new(folder: &Path, live: Option<LivePages>) -> Self {
        let files = ServeDir::new(folder)
            .precompressed_br()
            .precompressed_gzip()
            .ignore_multi_range_requests(true);
        Pages { files, live, unreadable: Arc::default() }
    }

    /// Answers a request for a file.
    pub(crate) async fn answer(mut self, request: Request) -> Response {
        let (mut parts, _) = request.into_parts();
        let asked = Asked::take(&parts.method, &mut parts.headers);
        if self.live.is_some() {
            // What is compressed cannot be added to.
            parts.headers.remove(header::ACCEPT_ENCODING);
        }
        let mut answer = self.part(&parts, &asked).await;
        if let Some(other) = asked.second_try(answer.status(), answer.headers()) {
            answer = self.part(&parts, &other).await;
        }
        if answer.status() == StatusCode::NOT_FOUND {
            answer = self.not_found(parts).await;
        }
        say_charset(answer.headers_mut());
        // A page is stale as soon as it is deployed anew. To ask whether it is costs little.
        let caching = if self.live.is_some() { "no-store" } else { "no-cache" };
        answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
        match &self.live {
            Some(live) => live.add_script(answer).await,
            None => answer,
        }
    }

    async fn part(&mut self, parts: &Parts, asked: &Asked) -> Response {
        let mut parts = parts.clone();
        if let Some(range) = asked.header() {
            parts.headers.insert(header::RANGE, range);
        }
        match self.file(parts.clone()).await {
            // With the ending of what is compressed, a name may be too long that is not by itself.
            Err(error) if error.kind() == ErrorKind::InvalidFilename => {
                parts.headers.remove(header::ACCEPT_ENCODING);
                let answer = self.file(parts.clone()).await;
                answer.unwrap_or_else(|error| self.failed(&parts.uri, &error))
            }
            answer => answer.unwrap_or_else(|error| self.failed(&parts.uri, &error)),
        }
    }

    async fn file(&mut self, parts: Parts) -> io::Result<Response> {
        let request = Request::from_parts(parts, Body::empty());
        let mut answer = self.files.try_call(request).await?.map(Body::new);
        if answer.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            answer.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(0));
        }
        Ok(answer)
    }

    fn failed(&self, page: &Uri, error: &io::Error) -> Response {
        use ErrorKind::{InvalidFilename, NotADirectory, NotFound, PermissionDenied};
        if let NotFound | NotADirectory | InvalidFilename | PermissionDenied = error.kind() {
            return StatusCode::NOT_FOUND.into_response();
        }
        if let Some(as_well) = self.unreadable.may_tell(Instant::now()) {
            tracing::error!(page = page.path(), %error, as_well, "a page could not be read");
        }
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }

    /// The folder's own page that says so, or ours.
    async fn not_found(&mut self, mut parts: Parts) -> Response {
        let accepts = parts.headers.remove(header::ACCEPT);
        parts.uri = Uri::from_static(NOT_FOUND);
        let is_head = parts.method == Method::HEAD;
        // Conditions are those of another page.
        parts.headers = match parts.headers.remove(header::ACCEPT_ENCODING) {
            Some(encodings) => HeaderMap::from_iter([(header::ACCEPT_ENCODING, encodings)]),
            None => HeaderMap::new(),
        };
        match self.file(parts).await {
            Ok(mut own) if own.status() == StatusCode::OK => {
                *own.status_mut() = StatusCode::NOT_FOUND;
                own
            }
            _ => not_found(accepts.as_ref(), is_head),
        }
    }
}

/// Says that there is no page, in a way that the client can show.
pub(crate) fn not_found(accepts: Option<&HeaderValue>, is_head: bool) -> Response {
    let accepts = accepts.and_then(|accepts| accepts.to_str().ok()).unwrap_or_default();
    let (kind, text) = match accepts.contains("text/html") {
        true => ("text/html; charset=utf-8", NOT_FOUND_PAGE),
        false => ("text/plain; charset=utf-8", NOT_FOUND_TEXT),
    };
    let body = if is_head { Body::empty() } else { Body::from(text) };
    let mut answer = (StatusCode::NOT_FOUND, [(header::CONTENT_TYPE, kind)], body).into_response();
    answer.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(text.len()));
    answer
}

/// Without it, browsers guess by the language of their user.
fn say_charset(headers: &mut HeaderMap) {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let Some(kind) = kind.filter(|kind| kind.starts_with("text/") && !kind.contains("charset"))
    else {
        return;
    };
    if let Ok(kind) = HeaderValue::try_from(format!("{kind}; charset=utf-8")) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
}
