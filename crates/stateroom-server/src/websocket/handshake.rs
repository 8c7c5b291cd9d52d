//! The opening handshake (RFC 6455 §4.2): is this request a WebSocket's, and what is its answer?

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use base64::Engine as _;
use sha1::{Digest as _, Sha1};

/// RFC 6455 §1.3.
const MAGIC: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Why a request does not open a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HandshakeError {
    #[error("this address is for WebSockets: open it with `new WebSocket(...)`")]
    NotAWebSocket,
    #[error("only version 13 of the WebSocket protocol is spoken here")]
    WrongVersion,
    #[error("the header Sec-WebSocket-Key must be 16 bytes in base64")]
    BadKey,
}

/// The value of `Sec-WebSocket-Accept` that answers the request.
pub(crate) fn accept(method: &Method, headers: &HeaderMap) -> Result<HeaderValue, HandshakeError> {
    let asks = has_token(headers, &header::CONNECTION, "upgrade")
        && has_token(headers, &header::UPGRADE, "websocket");
    if method != Method::GET || !asks {
        return Err(HandshakeError::NotAWebSocket);
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(HandshakeError::WrongVersion);
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).ok_or(HandshakeError::BadKey)?;
    let base64 = base64::engine::general_purpose::STANDARD;
    if base64.decode(key).map(|key| key.len()) != Ok(16) {
        return Err(HandshakeError::BadKey);
    }
    let digest = Sha1::new().chain_update(key).chain_update(MAGIC).finalize();
    // Base64 is ASCII, which a header always takes.
    HeaderValue::try_from(base64.encode(digest)).map_err(|_| HandshakeError::BadKey)
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|value| value.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_that_of_the_rfcs_example() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONNECTION, HeaderValue::from_static("keep-alive, Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        let key = HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==");
        headers.insert(header::SEC_WEBSOCKET_KEY, key);
        assert_eq!(accept(&Method::GET, &headers).unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        headers.insert(header::SEC_WEBSOCKET_KEY, HeaderValue::from_static("c2hvcnQ="));
        assert_eq!(accept(&Method::GET, &headers), Err(HandshakeError::BadKey));
    }
}
