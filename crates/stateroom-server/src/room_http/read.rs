//! What a request asks for, and whether it may: decided from its head, the settings and a time alone.

use super::PREFIX;
use crate::{
    auth,
    config::ServerConfig,
    headers::header,
    request::{self, Rejection},
};
use axum::http::{HeaderMap, Method, Version, request::Parts};
use percent_encoding::percent_decode_str;
use stateroom::{REQUEST_HEADERS, Request};
use stateroom_room::claims_in;
use std::{net::IpAddr, time::Duration};

/// The longest idempotency key.
const KEY_BYTES: usize = 255;

/// What rooms hear, and what is answered for them.
pub(super) const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// Where a request comes from, among its extensions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

/// A request without its body.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) room_id: String,
    pub(super) request: Request,
}

/// Reads a head, at a time since 1970.
pub(super) fn read(parts: &Parts, config: &ServerConfig, now: Duration) -> Result<Head, Rejection> {
    let headers = plain(&parts.headers);
    if parts.version == Version::HTTP_11 && header(&headers, "host").count() != 1 {
        return Err(Rejection::Hosts);
    }
    request::check_origin(&headers, config)?;
    check_site(&headers, config)?;
    let path = parts.uri.path().strip_prefix(PREFIX).unwrap_or_default();
    let (room_id, rest) = path.split_at(path.find('/').unwrap_or(path.len()));
    let room_id = request::room_id(room_id)?;
    let method = match parts.method.as_str() {
        "HEAD" => "GET",
        method @ ("GET" | "POST" | "PUT" | "PATCH" | "DELETE") => method,
        _ => return Err(Rejection::Method),
    };
    let query = parts.uri.query().unwrap_or_default();
    let identity = match &config.auth {
        Some(auth) => auth.admit(auth::bearer(auth, &headers, query)?, &room_id, now)?,
        None => None,
    };
    let secret = config.auth.as_ref().and_then(|auth| auth.query_parameter.as_deref());
    let told = |name: &&str| REQUEST_HEADERS.contains(name);
    let mut kept = Vec::new();
    for name in parts.headers.keys().map(|name| name.as_str()).filter(told) {
        let mut values = header(&headers, name);
        let value = values.next().and_then(|value| str::from_utf8(value).ok());
        if name == "idempotency-key" {
            let is_key = |key: &str| {
                (1..=KEY_BYTES).contains(&key.len())
                    && key.bytes().all(|byte| byte.is_ascii_graphic())
            };
            if values.next().is_some() || !value.is_some_and(is_key) {
                return Err(Rejection::IdempotencyKey);
            }
        }
        kept.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    }
    let request = Request {
        method: method.to_owned(),
        path: if rest.is_empty() { "/" } else { rest }.to_owned(),
        query: without(query, secret),
        claims: identity
            .as_ref()
            .and_then(|identity| identity.claims.as_deref())
            .map_or_else(Vec::new, claims_in),
        user: identity.map(|identity| identity.subject),
        headers: kept,
        body: Vec::new(),
    };
    Ok(Head { room_id, request })
}

/// The headers as the handshakes of WebSockets have them.
pub(super) fn plain(headers: &HeaderMap) -> Vec<httparse::Header<'_>> {
    let plain = headers.iter();
    plain
        .map(|(name, value)| httparse::Header { name: name.as_str(), value: value.as_bytes() })
        .collect()
}

/// Refuses what a page of another site has its browser fetch without an origin, such as an image. Who follows a link
/// comes in.
fn check_site(headers: &[httparse::Header], config: &ServerConfig) -> Result<(), Rejection> {
    let value = |name| header(headers, name).next();
    let is_any = config.allowed_origins.iter().any(|allowed| allowed.allows("null", ""));
    let is_foreign = value("sec-fetch-site") == Some(b"cross-site") && value("origin").is_none();
    match is_foreign && !is_any && value("sec-fetch-mode") != Some(b"navigate") {
        true => Err(Rejection::Origin("another site".to_owned())),
        false => Ok(()),
    }
}

/// A query without the parameter that holds a token: that is nothing to be kept.
fn without(query: &str, secret: Option<&str>) -> String {
    let Some(secret) = secret else { return query.to_owned() };
    let is_secret = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default().replace('+', " ");
        percent_decode_str(&name).decode_utf8().is_ok_and(|name| name == secret)
    };
    query.split('&').filter(|pair| !is_secret(pair)).collect::<Vec<_>>().join("&")
}

/// Whether it is only about what a page may ask for.
pub(super) fn is_preflight(parts: &Parts) -> bool {
    parts.method == Method::OPTIONS
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http;

    fn told(method: &str, target: &str, headers: &[(&str, &str)]) -> Result<Head, Rejection> {
        told_by(&ServerConfig::default(), method, target, headers)
    }

    fn told_by(
        config: &ServerConfig,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
    ) -> Result<Head, Rejection> {
        let mut request =
            http::Request::builder().method(method).uri(target).header("host", "here");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        read(&request.body(()).unwrap().into_parts().0, config, Duration::ZERO)
    }

    #[test]
    fn the_room_its_path_and_the_query_are_told_apart() {
        for (target, room, path, query) in [
            ("/rooms/lobby", "lobby", "/", ""),
            ("/rooms/lobby?a=1", "lobby", "/", "a=1"),
            ("/rooms/lobby/", "lobby", "/", ""),
            ("/rooms/a%2Fb/c%2Fd//e?x?y", "a/b", "/c%2Fd//e", "x?y"),
        ] {
            let head = told("GET", target, &[]).unwrap();
            let Request { path: told, query: asked, .. } = head.request;
            assert_eq!((&*head.room_id, &*told, &*asked), (room, path, query), "{target}");
        }
        assert!(matches!(told("GET", "/rooms/", &[]), Err(Rejection::RoomId(0))));
        assert!(matches!(told("GET", "/rooms/%FF", &[]), Err(Rejection::RoomIdText)));
    }

    #[test]
    fn rooms_hear_of_some_headers_and_of_no_others() {
        let headers = [("Accept", "*/*"), ("Cookie", "a"), ("Authorization", "Bearer x")];
        let Head { request, .. } = told("POST", "/rooms/a", &headers).unwrap();
        assert_eq!(request.headers, [("accept".to_owned(), "*/*".to_owned())]);
    }

    #[test]
    fn a_head_is_asked_for_as_the_whole_and_other_methods_are_none() {
        assert_eq!(told("HEAD", "/rooms/a", &[]).unwrap().request.method, "GET");
        for method in ["TRACE", "CONNECT", "PROPFIND", "get"] {
            assert!(matches!(told(method, "/rooms/a", &[]), Err(Rejection::Method)), "{method}");
        }
    }

    #[test]
    fn a_key_is_one_and_short_and_visible() {
        let long = "k".repeat(KEY_BYTES + 1);
        for keys in [vec![""], vec!["a", "a"], vec!["a b"], vec!["ä"], vec![&*long]] {
            let headers: Vec<_> = keys.iter().map(|key| ("idempotency-key", *key)).collect();
            let told = told("POST", "/rooms/a", &headers);
            assert!(matches!(told, Err(Rejection::IdempotencyKey)), "{keys:?}");
        }
        assert!(told("POST", "/rooms/a", &[("idempotency-key", &long[1..])]).is_ok());
    }

    #[test]
    fn a_host_is_needed_from_http_1_1_on() {
        let told = |version| {
            let request = http::Request::builder().uri("/rooms/a").version(version).body(());
            read(&request.unwrap().into_parts().0, &ServerConfig::default(), Duration::ZERO)
        };
        assert!(told(Version::HTTP_10).is_ok());
        assert!(matches!(told(Version::HTTP_11), Err(Rejection::Hosts)));
    }

    #[test]
    fn pages_of_other_sites_are_refused() {
        let refused = |headers: &[(&str, &str)]| {
            matches!(told("GET", "/rooms/a", headers), Err(Rejection::Origin(_)))
        };
        assert!(!refused(&[("origin", "https://here")]));
        assert!(refused(&[("origin", "https://evil.example")]));
        assert!(refused(&[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")]));
        assert!(!refused(&[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")]));
        assert!(!refused(&[("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "no-cors")]));
    }

    #[test]
    fn a_token_in_the_query_is_not_told() {
        assert_eq!(without("a=1&t%6Fken=x&b", Some("token")), "a=1&b");
        assert_eq!(without("token=x", None), "token=x");
    }
}
