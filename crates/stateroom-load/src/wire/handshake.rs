//! The opening handshake (RFC 6455 §4.1), and an HTTP request that may come before it.

use base64::Engine as _;
use sha1::{Digest as _, Sha1};

/// RFC 6455 §1.3.
const MAGIC: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// The longest head of an answer, in bytes.
const MAX_HEAD: usize = 64 * 1024;
/// The most headers of an answer.
const MAX_HEADERS: usize = 64;

/// How a server refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HandshakeError {
    #[error("the server answered with status {0}")]
    Status(u16),
    #[error("the answer is not HTTP")]
    NotHttp,
    #[error("the header Sec-WebSocket-Accept does not fit the key")]
    WrongAccept,
    #[error("the answer does not upgrade to websocket")]
    NoUpgrade,
    #[error("the answer has no Content-Length")]
    NoLength,
}

/// What the server must prove that it has read.
#[derive(Debug, Clone)]
pub(crate) struct Key(String);

impl Key {
    pub(crate) fn random() -> Self {
        let bytes = fastrand::u128(..).to_ne_bytes();
        Key(base64::engine::general_purpose::STANDARD.encode(bytes))
    }

    fn accept(&self) -> String {
        let digest = Sha1::new().chain_update(&self.0).chain_update(MAGIC).finalize();
        base64::engine::general_purpose::STANDARD.encode(digest)
    }
}

/// The request that opens a WebSocket at `path`.
pub(crate) fn upgrade_request(
    host: &str,
    path: &str,
    subprotocols: Option<&str>,
    key: &Key,
) -> Vec<u8> {
    let offer = subprotocols.map(|names| format!("Sec-WebSocket-Protocol: {names}\r\n"));
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {}\r\n{}\r\n",
        key.0,
        offer.unwrap_or_default()
    )
    .into_bytes()
}

/// How long the answer that opens the WebSocket is; `None` while its end has not come.
pub(crate) fn end_of_upgrade(bytes: &[u8], key: &Key) -> Result<Option<usize>, HandshakeError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut answer = httparse::Response::new(&mut headers);
    let Some(length) = parse(&mut answer, bytes)? else { return Ok(None) };
    match answer.code {
        Some(101) => {}
        Some(status) => return Err(HandshakeError::Status(status)),
        None => return Err(HandshakeError::NotHttp),
    }
    let upgrade = header(&answer, "upgrade").ok_or(HandshakeError::NoUpgrade)?;
    if !upgrade.eq_ignore_ascii_case(b"websocket") {
        return Err(HandshakeError::NoUpgrade);
    }
    if header(&answer, "sec-websocket-accept") != Some(key.accept().as_bytes()) {
        return Err(HandshakeError::WrongAccept);
    }
    Ok(Some(length))
}

/// The body of a successful answer; `None` while its end has not come.
pub(crate) fn body_of_answer(bytes: &[u8]) -> Result<Option<&[u8]>, HandshakeError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut answer = httparse::Response::new(&mut headers);
    let Some(length) = parse(&mut answer, bytes)? else { return Ok(None) };
    match answer.code {
        Some(200..=299) => {}
        Some(status) => return Err(HandshakeError::Status(status)),
        None => return Err(HandshakeError::NotHttp),
    }
    let body = header(&answer, "content-length")
        .and_then(|value| str::from_utf8(value).ok()?.trim().parse().ok())
        .ok_or(HandshakeError::NoLength)?;
    Ok(bytes.get(length..).and_then(|rest| rest.get(..body)))
}

fn parse<'b>(
    answer: &mut httparse::Response<'_, 'b>,
    bytes: &'b [u8],
) -> Result<Option<usize>, HandshakeError> {
    match answer.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => Ok(Some(length)),
        Ok(httparse::Status::Partial) if bytes.len() <= MAX_HEAD => Ok(None),
        Ok(httparse::Status::Partial) | Err(_) => Err(HandshakeError::NotHttp),
    }
}

fn header<'b>(answer: &httparse::Response<'_, 'b>, name: &str) -> Option<&'b [u8]> {
    let found = answer.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
    found.map(|header| header.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_answer_opens() {
        let key = Key("dGhlIHNhbXBsZSBub25jZQ==".to_owned());
        let answer = |accept: &str| {
            format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n\
                 Connection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
            )
        };
        let right = answer("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        let more = format!("{right}\u{1}");
        assert_eq!(end_of_upgrade(more.as_bytes(), &key), Ok(Some(right.len())));
        for short in 0..right.len() {
            assert_eq!(end_of_upgrade(&right.as_bytes()[..short], &key), Ok(None));
        }
        let wrong = answer("c2hvcnQ=");
        assert_eq!(end_of_upgrade(wrong.as_bytes(), &key), Err(HandshakeError::WrongAccept));
        let refused = b"HTTP/1.1 503 Service Unavailable\r\n\r\n";
        assert_eq!(end_of_upgrade(refused, &key), Err(HandshakeError::Status(503)));
        assert_eq!(end_of_upgrade(b"SSH-2.0-x\r\n\r\n", &key), Err(HandshakeError::NotHttp));
    }
}
