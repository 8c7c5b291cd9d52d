//! Reads what comes with a request: bounded in bytes, in time without progress, and by what the server holds of others.

use crate::{request::Rejection, shared::Shared};
use axum::body::{Body, HttpBody as _};
use futures_util::StreamExt as _;

/// The whole body.
pub(super) async fn read(body: Body, shared: &Shared) -> Result<Vec<u8>, Rejection> {
    let most = shared.config.max_request_bytes;
    // Told by its length, before the client is told to go on.
    if body.size_hint().lower() > most as u64 {
        return Err(Rejection::BodyTooLarge(most));
    }
    let mut chunks = body.into_data_stream();
    let (mut bytes, mut held) = (Vec::new(), None);
    loop {
        let next = tokio::time::timeout(shared.config.http_stall_timeout, chunks.next());
        let chunk = match next.await {
            Ok(Some(Ok(chunk))) => chunk,
            Ok(None) => return Ok(bytes),
            Ok(Some(Err(_))) => return Err(Rejection::BodyCutShort),
            Err(_) => return Err(Rejection::BodyTooSlow),
        };
        if chunk.len() > most.saturating_sub(bytes.len()) {
            return Err(Rejection::BodyTooLarge(most));
        }
        bytes.extend_from_slice(&chunk);
        if !shared.read_limits.unfinished.hold(&mut held, bytes.len()) {
            return Err(Rejection::TooManyWaiting);
        }
    }
}
