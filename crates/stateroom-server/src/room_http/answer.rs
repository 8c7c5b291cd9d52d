//! Answers one request: takes it to the shard of its room, and waits for what becomes of it.

use super::{
    asked::{Asked, Outcome, Reply},
    body, cross_origin,
    read::{self, ClientAddress, Head},
    waiting::{Place, Waiting},
};
use crate::{clock::time_of_day, page::page, pages::Pages, request::Rejection, shared::Shared};
use axum::{
    body::{Body, Bytes},
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse as _, Response},
};
use stateroom::RESPONSE_HEADERS;
use std::sync::{Arc, atomic::Ordering::Relaxed};
use tower_http::timeout::TimeoutBody;

/// What is said where a room has answered 422 and no more, as it does by itself.
const KEY_OF_ANOTHER: &str = "another request had this Idempotency-Key before\n";

/// Brings a request to the shard of its room.
pub(crate) type Bring = Arc<dyn Fn(Asked) + Send + Sync>;

/// What it takes to answer requests to rooms.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) shared: Arc<Shared>,
    pub(crate) waiting: Arc<Waiting>,
    pub(crate) bring: Bring,
    /// Files that are there at the same addresses, which come first.
    pub(crate) pages: Option<Pages>,
}

/// Among an answer's extensions: it is none, and the connection is to be closed without one, since nobody knows what
/// became of the request.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the server does not know what became of the request")]
pub(crate) struct Abandoned;

/// Answers a request to a room, or with the page that is at its address.
pub(crate) async fn answer(door: Door, request: Request) -> Response {
    let is_look = [Method::GET, Method::HEAD].contains(request.method());
    let hears = door.shared.hears_requests.load(Relaxed);
    let (parts, body) = request.into_parts();
    if is_look || !hears {
        let page = page_at(&door, &parts).await;
        if !hears || ![StatusCode::NOT_FOUND, StatusCode::UPGRADE_REQUIRED].contains(&page.status())
        {
            return page;
        }
    }
    let config = &door.shared.config;
    let answered = match read::is_preflight(&parts) {
        true => cross_origin::preflight(&parts, config),
        false => ask(&door, &parts, body).await,
    };
    let mut answer = answered.unwrap_or_else(|rejection| {
        door.shared.refusals.add(rejection.label());
        if let Rejection::Origin(_) | Rejection::Refused(_) = rejection {
            door.shared.client_lines.refused(&rejection);
        }
        refusal(&rejection)
    });
    cross_origin::allow(&parts.headers, config, answer.headers_mut());
    answer
}

/// The page at the address of a request. A file that cannot be opened, or read on, in time is given up.
async fn page_at(door: &Door, parts: &Parts) -> Response {
    let time = door.shared.config.http_stall_timeout;
    let asked = Request::from_parts(parts.clone(), Body::empty());
    match tokio::time::timeout(time, page(&door.shared, door.pages.clone(), asked)).await {
        Ok(page) => page.map(|body| Body::new(TimeoutBody::new(time, body))),
        Err(_) => StatusCode::GATEWAY_TIMEOUT.into_response(),
    }
}

async fn ask(door: &Door, parts: &Parts, body: Body) -> Result<Response, Rejection> {
    let Door { shared, waiting, bring, .. } = door;
    let Head { room_id, mut request } = read::read(parts, &shared.config, time_of_day())?;
    request.body = body::read(body, shared).await?;
    let (room_id, user): (Arc<str>, _) = (room_id.into(), request.user.clone());
    let request = request.encode();
    let place = waiting.take(&room_id, request.len()).ok_or(Rejection::TooManyWaiting)?;
    let (reply, answer) = Reply::new(place);
    let address = parts.extensions.get::<ClientAddress>().map(|ClientAddress(address)| *address);
    bring(Asked { room_id, request, user, address, reply });
    match tokio::time::timeout(shared.config.request_timeout, answer).await {
        Ok(Ok((Outcome::Answered(response), place))) => Ok(response_of(&response, place)),
        Ok(Ok((Outcome::Failed, _))) => Err(Rejection::RequestFailed),
        Ok(Ok((Outcome::Refused(rejection), _))) => Err(rejection),
        Ok(Ok((Outcome::KeptAway, _))) => Err(Rejection::KeptAway),
        Ok(Err(_)) => {
            let mut none = Response::new(Body::empty());
            none.extensions_mut().insert(Abandoned);
            Ok(none)
        }
        Err(_) => Err(Rejection::NoAnswerInTime),
    }
}

/// What a room has answered, with those headers that it may. It has its place until it is sent.
fn response_of(bytes: &[u8], mut place: Place) -> Response {
    let Ok(stateroom::Response { status, headers, mut body }) = stateroom::Response::decode(bytes)
    else {
        return refusal(&Rejection::RequestFailed);
    };
    let Ok(status) = StatusCode::from_u16(status) else {
        return refusal(&Rejection::RequestFailed);
    };
    let mut answer = HeaderMap::new();
    for (name, value) in headers {
        let name = name.to_ascii_lowercase();
        let is_allowed = RESPONSE_HEADERS.contains(&&*name);
        if let (true, Ok(name), Ok(value)) =
            (is_allowed, HeaderName::try_from(name), HeaderValue::try_from(value))
        {
            // There may be several links, and one of each other.
            match name == header::LINK {
                true => drop(answer.append(name, value)),
                false => drop(answer.insert(name, value)),
            }
        }
    }
    if status == StatusCode::UNPROCESSABLE_ENTITY && body.is_empty() {
        body = KEY_OF_ANOTHER.as_bytes().to_vec();
    }
    place.hold(body.len());
    finish(status, answer, Bytes::from_owner(Held { body, _place: place }))
}

/// The body of an answer, which has a place until all of it is sent.
struct Held {
    body: Vec<u8>,
    _place: Place,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

/// An answer with what goes with all of them.
fn finish(status: StatusCode, mut headers: HeaderMap, body: Bytes) -> Response {
    let no_store = HeaderValue::from_static("no-store");
    headers.entry(header::CACHE_CONTROL).or_insert(no_store);
    // A body is what it is said to be, and nothing that a browser may run instead.
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let has_none = [StatusCode::NO_CONTENT, StatusCode::RESET_CONTENT, StatusCode::NOT_MODIFIED];
    let body = if has_none.contains(&status) { Bytes::new() } else { body };
    (status, headers, body).into_response()
}

fn refusal(rejection: &Rejection) -> Response {
    let (status, header) = rejection.status();
    let code = status.split(' ').next().and_then(|code| code.parse::<StatusCode>().ok());
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if let Some((name, value)) = header.trim_end().split_once(": ")
        && let Ok(name) = HeaderName::try_from(name)
    {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let body = Bytes::from(format!("{rejection}\n"));
    finish(code.unwrap_or(StatusCode::SERVICE_UNAVAILABLE), headers, body)
}
