//! Pages that are loaded again when their files have changed, for whoever works on them.

use axum::{
    body::{Body, to_bytes},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt as _, stream};
use std::{convert::Infallible, future::ready};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Where a page hears which version of the pages there is.
pub(crate) const PATH: &str = "/_stateroom/pages";

/// The largest page that is added to, in bytes.
const LARGEST: usize = 16 << 20;

/// Tells of changes, and what a page needs to hear of them.
#[derive(Debug, Clone)]
pub(crate) struct LivePages {
    version: watch::Receiver<u64>,
    stopping: CancellationToken,
}

impl LivePages {
    pub(crate) fn new(version: watch::Receiver<u64>, stopping: CancellationToken) -> Self {
        LivePages { version, stopping }
    }

    /// Tells the version that there is, and the next one as soon as there is one.
    pub(crate) async fn versions(mut self) -> Response {
        let now = *self.version.borrow_and_update();
        let next = async move {
            let changed = self.stopping.run_until_cancelled(self.version.changed()).await;
            match changed {
                Some(Ok(())) => event(*self.version.borrow()),
                _ => String::new(),
            }
        };
        let events = stream::once(ready(event(now))).chain(stream::once(next));
        let headers =
            [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
        (headers, Body::from_stream(events.map(Ok::<_, Infallible>))).into_response()
    }

    /// Adds what listens for changes to an answer that is a page. It does so while it is looked at, since a
    /// browser has few connections to one server.
    pub(crate) async fn add_script(&self, answer: Response) -> Response {
        let kind = answer.headers().get(header::CONTENT_TYPE);
        let is_page = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
        let length = answer.headers().get(header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        let is_whole = matches!(answer.status(), StatusCode::OK | StatusCode::NOT_FOUND);
        if !is_page || !is_whole || length.is_none_or(|length| length > LARGEST) {
            return answer;
        }
        let (mut parts, body) = answer.into_parts();
        let page = match to_bytes(body, LARGEST).await {
            Ok(page) => page,
            Err(_) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        };
        // Of a page that was only asked about, there is nothing.
        if page.is_empty() {
            return Response::from_parts(parts, Body::empty());
        }
        let mut text = page.to_vec();
        text.extend_from_slice(script(*self.version.borrow()).as_bytes());
        parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(text.len()));
        Response::from_parts(parts, Body::from(text))
    }
}

fn event(version: u64) -> String {
    format!("data: {version}\n\n")
}

fn script(version: u64) -> String {
    format!(
        "\n<script>/* added by stateroom dev: loads this page again when it has changed */ {{ let source; \
         const listen = () => {{ source?.close(); if (document.hidden) return; \
         source = new EventSource(\"{PATH}\"); source.onmessage = (event) => \
         {{ if (event.data !== \"{version}\") location.reload(); }}; }}; \
         document.addEventListener(\"visibilitychange\", listen); listen(); }}</script>\n"
    )
}
