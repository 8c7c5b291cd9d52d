//! Reads the head of a connection's first request: does it open a WebSocket, into which room, and for whom?
//!
//! Decides from bytes, settings and a time alone. What is not a WebSocket's opening handshake (RFC 6455 §4.2) is left to
//! the HTTP server.

use crate::{
    auth::{self, BEARER, Identity, Refused},
    config::ServerConfig,
    headers::{header, items},
};
use base64::Engine as _;
use percent_encoding::percent_decode_str;
use sha1::{Digest as _, Sha1};
use stateroom_room::session::{Key, NoRequest, Request, SUBPROTOCOL};
use std::time::Duration;

/// The room that `/ws` opens.
const DEFAULT_ROOM: &str = "default";

/// The longest room id and the longest token, in bytes.
const NAME_BYTES: usize = 128;

/// The longest head, of any request. A longer one is answered 431, however it was cut on its way.
pub(crate) const HEAD_BYTES: usize = 16 * 1024;

/// How many headers a request may have; browsers send some twenty. Past it 431.
pub(crate) const HEADERS: usize = 64;

/// RFC 6455 §1.3.
const MAGIC: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// What the first bytes of a connection are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Head {
    /// Not all of a head yet.
    Partial,
    /// Something for the HTTP server.
    Http,
    /// Nothing that anybody answers with more than an error.
    Refused(Rejection),
    /// The handshake of a WebSocket.
    WebSocket {
        /// Which room to join, or why it can't be.
        join: Result<Join, Rejection>,
        /// Of the head, in bytes.
        length: usize,
    },
}

/// A handshake that is in order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Join {
    pub(crate) room_id: String,
    /// What the room knows the client by when it comes back.
    pub(crate) token: Option<String>,
    /// What its service may be told of its token, if anything.
    pub(crate) claims: Option<String>,
    /// Until when it may stay, since 1970.
    pub(crate) until: Option<Duration>,
    /// The value of `Sec-WebSocket-Accept`.
    pub(crate) accept: String,
    /// The subprotocol that is answered.
    pub(crate) subprotocol: Option<String>,
    /// The session that it asks for.
    pub(crate) session: Option<Box<Request>>,
}

/// Why a client is answered with an error instead of a WebSocket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Rejection {
    #[error("a room id must be UTF-8")]
    RoomIdText,
    #[error("a room id must have 1 to 128 bytes; this one has {0}")]
    RoomId(usize),
    #[error("a token must have 1 to 128 bytes; this one has {0}")]
    Token(usize),
    #[error("a token must be UTF-8, and must not begin with U+0000")]
    TokenText,
    #[error(transparent)]
    Session(#[from] NoRequest),
    #[error(
        "pages of the origin {0} may not open rooms here; `allowed_origins` in [server] says which ones may"
    )]
    Origin(String),
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("a request must have one Host header; this one has none, or more")]
    Hosts,
    #[error("the head of a request must have at most {HEAD_BYTES} bytes and {HEADERS} headers")]
    HeadTooLarge,
    #[error("only version 13 of the WebSocket protocol is spoken here")]
    WrongVersion,
    #[error("the header Sec-WebSocket-Key must be 16 bytes in base64")]
    BadKey,
    #[error("the server is shutting down; try again later")]
    Stopping,
    #[error("the server cannot save its rooms; its log tells why")]
    NotKept,
    #[error("the server has as many clients as it takes; try again later")]
    ServerFull,
    #[error("the server has as many connections as it takes; try again later")]
    TooManyConnections,
    #[error("the server has as many rooms as it takes; try again later")]
    TooManyRooms,
    #[error("the room has as many clients as it takes; try again later")]
    RoomFull,
    #[error("rooms hear GET, HEAD, POST, PUT, PATCH and DELETE")]
    Method,
    #[error("there must be one Idempotency-Key, of 1 to 255 visible characters of ASCII")]
    IdempotencyKey,
    #[error("the body of the request has not come whole")]
    BodyCutShort,
    #[error("the body of the request comes too slowly")]
    BodyTooSlow,
    #[error("the body of a request must have at most {0} bytes")]
    BodyTooLarge(usize),
    #[error("as many requests wait as may; try again later")]
    TooManyWaiting,
    #[error("the room cannot be opened now; try again later")]
    RoomNotOpened,
    #[error("requests from you, or from your address, made the room fail; come back later")]
    KeptAway,
    #[error("the room failed at this request")]
    RequestFailed,
    #[error(
        "the room has not answered in time; the request may still happen: send it again with the same Idempotency-Key"
    )]
    NoAnswerInTime,
}

impl Rejection {
    /// In one word, for whoever counts them.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Rejection::RoomIdText | Rejection::RoomId(_) => "room_id",
            Rejection::Token(_) | Rejection::TokenText => "token",
            Rejection::Origin(_) => "origin",
            Rejection::Refused(Refused::Room(_)) => "auth_room",
            Rejection::Refused(_) => "auth",
            Rejection::WrongVersion | Rejection::BadKey | Rejection::Session(_) => "handshake",
            Rejection::Hosts => "hosts",
            Rejection::HeadTooLarge => "head_too_large",
            Rejection::Stopping => "stopping",
            Rejection::NotKept => "not_kept",
            Rejection::ServerFull => "max_clients",
            Rejection::TooManyConnections => "max_connections",
            Rejection::TooManyRooms => "max_rooms",
            Rejection::RoomFull => "max_clients_per_room",
            Rejection::Method => "method",
            Rejection::IdempotencyKey => "idempotency_key",
            Rejection::BodyCutShort | Rejection::BodyTooSlow => "body",
            Rejection::BodyTooLarge(_) => "max_request_bytes",
            Rejection::TooManyWaiting => "max_requests",
            Rejection::RoomNotOpened => "not_opened",
            Rejection::KeptAway => "kept_away",
            Rejection::RequestFailed => "failed",
            Rejection::NoAnswerInTime => "request_timeout",
        }
    }

    /// The setting that draws the bound which was met.
    pub(crate) fn setting(&self) -> Option<&'static str> {
        use Rejection::{Origin, RoomFull, ServerFull, TooManyConnections, TooManyRooms};
        match self {
            Origin(_) => Some("allowed_origins"),
            ServerFull | TooManyConnections | TooManyRooms | RoomFull => Some(self.label()),
            _ => None,
        }
    }

    /// The status of the HTTP answer, and a line of its head or nothing.
    pub(crate) fn status(&self) -> (&'static str, &'static str) {
        match self {
            Rejection::RoomIdText
            | Rejection::RoomId(_)
            | Rejection::Token(_)
            | Rejection::TokenText
            | Rejection::Session(_)
            | Rejection::Hosts
            | Rejection::BadKey
            | Rejection::IdempotencyKey
            | Rejection::BodyCutShort => ("400 Bad Request", ""),
            Rejection::Origin(_) => ("403 Forbidden", ""),
            Rejection::Refused(refused) => refused.status(),
            Rejection::HeadTooLarge => ("431 Request Header Fields Too Large", ""),
            Rejection::WrongVersion => ("426 Upgrade Required", "sec-websocket-version: 13\r\n"),
            Rejection::Stopping
            | Rejection::NotKept
            | Rejection::ServerFull
            | Rejection::TooManyConnections
            | Rejection::TooManyRooms
            | Rejection::RoomFull
            | Rejection::TooManyWaiting
            | Rejection::RoomNotOpened => ("503 Service Unavailable", "retry-after: 5\r\n"),
            Rejection::Method => (
                "405 Method Not Allowed",
                "allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n",
            ),
            Rejection::BodyTooSlow => ("408 Request Timeout", ""),
            Rejection::BodyTooLarge(_) => ("413 Content Too Large", ""),
            Rejection::KeptAway => ("429 Too Many Requests", "retry-after: 5\r\n"),
            Rejection::RequestFailed => ("500 Internal Server Error", ""),
            Rejection::NoAnswerInTime => ("504 Gateway Timeout", ""),
        }
    }

    /// The whole HTTP answer.
    pub(crate) fn response(&self) -> String {
        let (status, header) = self.status();
        let text = self.to_string();
        format!(
            "HTTP/1.1 {status}\r\n{header}content-type: text/plain; charset=utf-8\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{text}",
            text.len()
        )
    }
}

impl Join {
    /// The answer that opens the WebSocket.
    pub(crate) fn response(&self) -> String {
        let subprotocol = self.subprotocol.as_ref().map_or_else(String::new, |subprotocol| {
            format!("sec-websocket-protocol: {subprotocol}\r\n")
        });
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
             sec-websocket-accept: {}\r\n{subprotocol}\r\n",
            self.accept
        )
    }
}

/// Whether a request asks how the server does.
pub(crate) fn is_about_the_server(head: &[u8]) -> bool {
    [&b"GET /healthz "[..], b"GET /status ", b"GET /metrics "]
        .iter()
        .any(|line| head.starts_with(line))
}

/// Reads the head at the start of `bytes`, at a time since 1970.
pub(crate) fn read(bytes: &[u8], config: &ServerConfig, now: Duration) -> Head {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    // What is past the limit is not looked at, so that it does not matter how much of it is there.
    let length = match request.parse(bytes.get(..HEAD_BYTES).unwrap_or(bytes)) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if bytes.len() < HEAD_BYTES => return Head::Partial,
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            return Head::Refused(Rejection::HeadTooLarge);
        }
        Err(_) => return Head::Http,
    };
    if header(request.headers, "host").count() > 1 {
        return Head::Refused(Rejection::Hosts);
    }
    let asks = has_token(request.headers, "connection", "upgrade")
        && has_token(request.headers, "upgrade", "websocket");
    if !asks || request.method != Some("GET") || request.version != Some(1) {
        return Head::Http;
    }
    let target = request.path.unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    match room_of(path, config) {
        Some(room_id) => {
            Head::WebSocket { join: join(room_id, query, request.headers, config, now), length }
        }
        None => Head::Http,
    }
}

/// The room that a path opens.
fn room_of<'a>(path: &'a str, config: &ServerConfig) -> Option<&'a str> {
    if path == "/ws" {
        return Some(DEFAULT_ROOM);
    }
    let usual = path.strip_prefix("/ws/").filter(|room_id| !room_id.contains('/'));
    usual.or_else(|| config.room_paths.iter().find_map(|room_path| room_path.room(path)))
}

fn join(
    room_id: &str,
    query: &str,
    headers: &[httparse::Header],
    config: &ServerConfig,
    now: Duration,
) -> Result<Join, Rejection> {
    check_origin(headers, config)?;
    let room_id = self::room_id(room_id)?;
    let identity = match &config.auth {
        Some(auth) => auth.admit(auth::bearer(auth, headers, query)?, &room_id, now)?,
        None => None,
    };
    let is_for_auth = config.auth.as_ref().and_then(|auth| auth.query_parameter.as_deref());
    let token = if is_for_auth == Some("token") { None } else { token(query)? };
    if header(headers, "sec-websocket-version").next() != Some(b"13") {
        return Err(Rejection::WrongVersion);
    }
    let key = header(headers, "sec-websocket-key").next().ok_or(Rejection::BadKey)?;
    let base64 = base64::engine::general_purpose::STANDARD;
    if base64.decode(key).map(|key| key.len()) != Ok(16) {
        return Err(Rejection::BadKey);
    }
    let digest = Sha1::new().chain_update(key).chain_update(MAGIC).finalize();
    let session = Request::find(offers(headers))?.map(Box::new);
    let subprotocol = match session {
        Some(_) => Some(SUBPROTOCOL.to_owned()),
        None => subprotocol(headers, config.subprotocols.as_deref()),
    };
    let until = identity.as_ref().map(|identity| identity.until);
    let claims = identity.as_ref().and_then(|identity| identity.claims.clone());
    let token = known_by(identity, token);
    let accept = base64.encode(digest);
    Ok(Join { room_id, token, claims, until, accept, subprotocol, session })
}

/// The id of a room, as it is written in a path.
pub(crate) fn room_id(text: &str) -> Result<String, Rejection> {
    let decoded = percent_decode_str(text).decode_utf8();
    let room_id = decoded.map_err(|_| Rejection::RoomIdText)?.into_owned();
    match (1..=NAME_BYTES).contains(&room_id.len()) {
        true => Ok(room_id),
        false => Err(Rejection::RoomId(room_id.len())),
    }
}

/// Refuses pages that may not open rooms. Clients that are no browsers have no origin.
pub(crate) fn check_origin(
    headers: &[httparse::Header],
    config: &ServerConfig,
) -> Result<(), Rejection> {
    let host = header(headers, "host").next().map(String::from_utf8_lossy).unwrap_or_default();
    for origin in header(headers, "origin") {
        let origin = String::from_utf8_lossy(origin);
        if !config.allowed_origins.iter().any(|allowed| allowed.allows(&origin, &host)) {
            let told = origin.chars().filter(|char| !char.is_control()).take(NAME_BYTES).collect();
            return Err(Rejection::Origin(told));
        }
    }
    Ok(())
}

/// What a room knows a client by. Somebody who has logged in is the same on all devices; with a token of its own,
/// each device is somebody of its own, and still nobody else's. A token alone never begins with U+0000.
fn known_by(identity: Option<Identity>, token: Option<String>) -> Option<String> {
    match (identity, token) {
        (None, token) => token,
        (Some(Identity { subject, .. }), None) => Some(format!("\0{subject}")),
        (Some(Identity { subject, .. }), Some(token)) => Some(format!("\0{subject}\0{token}")),
    }
}

/// What a client offers to speak.
fn offers<'a>(headers: &'a [httparse::Header<'a>]) -> impl Iterator<Item = &'a str> {
    items(headers, "sec-websocket-protocol").filter_map(|offer| str::from_utf8(offer).ok())
}

/// Whether an offer holds the key of a session, as `s.KEY...`.
fn holds_key(offer: &str) -> bool {
    let mut words = offer.split('.');
    words.next() == Some("s") && words.next().and_then(Key::from_text).is_some()
}

/// The first subprotocol that is offered and allowed. What holds a secret is none.
fn subprotocol(headers: &[httparse::Header], allowed: Option<&[String]>) -> Option<String> {
    let is_secret = |offer: &str| offer.as_bytes().starts_with(BEARER) || holds_key(offer);
    let offers = offers(headers).filter(|offer| !is_secret(offer));
    // What is no token (RFC 9110 §5.6.2) is no name, and is not repeated.
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let mut offers = offers.filter(|offer| !offer.is_empty() && offer.bytes().all(is_token));
    let is_allowed = |offer: &&str| allowed.is_none_or(|names| names.iter().any(|it| it == offer));
    offers.find(is_allowed).map(str::to_owned)
}

/// The token in a query, by which a client is known when it comes back.
fn token(query: &str) -> Result<Option<String>, Rejection> {
    let Some(token) = auth::parameter(query, "token") else { return Ok(None) };
    let token = token.map_err(|_| Rejection::TokenText)?;
    match token.len() {
        length if !(1..=NAME_BYTES).contains(&length) => Err(Rejection::Token(length)),
        _ if token.starts_with('\0') => Err(Rejection::TokenText),
        _ => Ok(Some(token)),
    }
}

fn has_token(headers: &[httparse::Header], name: &str, token: &str) -> bool {
    items(headers, name).any(|value| value.eq_ignore_ascii_case(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A handshake with this target, and these headers besides the usual ones.
    fn handshake(target: &str, headers: &str) -> Vec<u8> {
        format!(
            "GET {target} HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\n\
             Upgrade: WebSocket\r\n{headers}\r\n"
        )
        .into_bytes()
    }

    const USUAL: &str =
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

    fn read_default(bytes: &[u8]) -> Head {
        read_with(bytes, &ServerConfig::default())
    }

    fn read_with(bytes: &[u8], config: &ServerConfig) -> Head {
        read(bytes, config, Duration::ZERO)
    }

    fn joined(bytes: &[u8], config: &ServerConfig) -> Join {
        match read_with(bytes, config) {
            Head::WebSocket { join: Ok(join), .. } => join,
            head => panic!("{head:?}"),
        }
    }

    #[test]
    fn the_first_subprotocol_that_is_offered_and_allowed_is_answered() {
        let name = "Sec-WebSocket-Protocol";
        for (offers, allowed, answer) in [
            ("", None, None),
            ("json", None, Some("json")),
            ("json, chat", None, Some("json")),
            ("json, chat", Some(vec!["chat", "json"]), Some("json")),
            ("json, chat", Some(vec!["chat"]), Some("chat")),
            ("json, chat", Some(vec!["other"]), None),
            ("json", Some(vec![]), None),
            ("bearer.a.b.c, json", None, Some("json")),
            ("bearer.a.b.c", None, None),
            ("bearer.a.b.c", Some(vec!["bearer.a.b.c"]), None),
            ("s.q83vEjRWeJCrze8SNFZ4kA.1.0.0.0.0.0, json", None, Some("json")),
            ("s.q83vEjRWeJCrze8SNFZ4kA.1", None, None),
            ("s.json", None, Some("s.json")),
            (" , two words,a\u{e9},json", None, Some("json")),
        ] {
            let lines = format!("{USUAL}{name}: {offers}\r\n");
            let config = ServerConfig {
                subprotocols: allowed.map(|names| names.into_iter().map(str::to_owned).collect()),
                ..ServerConfig::default()
            };
            let join = joined(&handshake("/ws", &lines), &config);
            assert_eq!(join.subprotocol.as_deref(), answer, "{offers}");
            let line = format!("sec-websocket-protocol: {}\r\n", answer.unwrap_or_default());
            assert_eq!(join.response().contains(&line), answer.is_some(), "{offers}");
        }
        let lines = format!("{USUAL}{name}: one\r\n{name}: two\r\n");
        let config =
            ServerConfig { subprotocols: Some(vec!["two".into()]), ..ServerConfig::default() };
        let join = joined(&handshake("/ws", &lines), &config);
        assert_eq!(join.subprotocol.as_deref(), Some("two"));
    }

    #[test]
    fn other_paths_open_rooms_where_the_settings_say_so() {
        let room_paths = vec!["/parties/main/{room}".parse().unwrap()];
        let config = ServerConfig { room_paths, ..ServerConfig::default() };
        let bytes = handshake("/parties/main/a%20room?token=t", USUAL);
        assert_eq!(read_default(&bytes), Head::Http);
        let join = joined(&bytes, &config);
        assert_eq!((&*join.room_id, join.token.as_deref()), ("a room", Some("t")));
        assert_eq!(joined(&handshake("/ws/other", USUAL), &config).room_id, "other");
        assert_eq!(read_with(&handshake("/parties/other/a", USUAL), &config), Head::Http);
    }

    #[test]
    fn the_answer_is_that_of_the_rfcs_example() {
        let bytes = handshake("/ws/a%20room?x=1&token=s%26t", USUAL);
        let join = Join {
            claims: None,
            room_id: "a room".to_owned(),
            token: Some("s&t".to_owned()),
            until: None,
            accept: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".to_owned(),
            subprotocol: None,
            session: None,
        };
        assert_eq!(read_default(&bytes), Head::WebSocket { join: Ok(join), length: bytes.len() });
    }

    #[test]
    fn a_head_is_partial_until_its_last_byte() {
        let bytes = handshake("/ws", USUAL);
        for length in 0..bytes.len() {
            assert_eq!(read_default(&bytes[..length]), Head::Partial, "{length}");
        }
        assert!(matches!(read_default(&bytes), Head::WebSocket { .. }));
    }

    #[test]
    fn what_opens_no_websocket_in_a_room_is_left_to_the_http_server() {
        for bytes in [
            b"GET /ws/room HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(),
            b"GET /ws/room HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n".to_vec(),
            b"\x16\x03\x01\x02\x00\x01 not http at all\r\n\r\n".to_vec(),
            handshake("/other", USUAL),
            handshake("/ws/a/b", USUAL),
            handshake("/wsx", USUAL),
        ] {
            assert_eq!(read_default(&bytes), Head::Http, "{}", String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn a_head_past_the_limit_is_refused_however_much_of_it_is_there() {
        let padded = |length: usize| {
            let around = handshake("/ws", &format!("{USUAL}X-Padding: \r\n")).len();
            let padding = "x".repeat(length - around);
            handshake("/ws", &format!("{USUAL}X-Padding: {padding}\r\n"))
        };
        let longest = padded(HEAD_BYTES);
        assert_eq!(longest.len(), HEAD_BYTES);
        assert!(matches!(read_default(&longest), Head::WebSocket { join: Ok(_), .. }));
        let too_long = padded(HEAD_BYTES + 1);
        for length in [HEAD_BYTES, HEAD_BYTES + 1] {
            let read = read_default(&too_long[..length]);
            assert_eq!(read, Head::Refused(Rejection::HeadTooLarge), "{length}");
        }
        assert_eq!(read_default(&too_long[..HEAD_BYTES - 1]), Head::Partial);
        let many = "X-Many: 1\r\n".repeat(HEADERS);
        assert_eq!(read_default(&handshake("/ws", &many)), Head::Refused(Rejection::HeadTooLarge));
    }

    #[test]
    fn two_hosts_are_refused_whoever_would_have_answered() {
        for target in ["/ws", "/status"] {
            let bytes = handshake(target, &format!("host: y\r\n{USUAL}"));
            assert_eq!(read_default(&bytes), Head::Refused(Rejection::Hosts));
        }
    }

    #[test]
    fn what_is_wrong_with_a_handshake_is_said() {
        let short = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: c2hvcnQ=\r\n";
        let old = "Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        for (bytes, expected) in [
            (handshake("/ws/", USUAL), Rejection::RoomId(0)),
            (handshake(&format!("/ws/{}", "x".repeat(129)), USUAL), Rejection::RoomId(129)),
            (handshake("/ws/%FF", USUAL), Rejection::RoomIdText),
            (handshake("/ws?token=", USUAL), Rejection::Token(0)),
            (handshake("/ws?token", USUAL), Rejection::Token(0)),
            (handshake("/ws?a=b&%74oken=%FF", USUAL), Rejection::TokenText),
            (handshake("/ws?token=%00ada", USUAL), Rejection::TokenText),
            (handshake("/ws", short), Rejection::BadKey),
            (handshake("/ws", "Sec-WebSocket-Version: 13\r\n"), Rejection::BadKey),
            (handshake("/ws", old), Rejection::WrongVersion),
        ] {
            let Head::WebSocket { join, .. } = read_default(&bytes) else { panic!("{expected:?}") };
            assert_eq!(join, Err(expected));
        }
    }
}
