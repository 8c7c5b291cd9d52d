//! HTTP requests to rooms, over real sockets.

use crate::support::{HEARD, TestServer, heard, parts, start, until_heard, within};
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;
use stateroom_server::{Auth, Keys};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// What a request with these lines of headers is answered.
async fn asks(server: &TestServer, line: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    let request =
        format!("{line} HTTP/1.1\r\nhost: here\r\ncontent-length: {length}\r\n{headers}\r\n{body}");
    server.raw(request.as_bytes()).await
}

async fn status(server: &TestServer, line: &str, headers: &str, body: &str) -> u16 {
    parts(&asks(server, line, headers, body).await).0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_reaches_its_room_and_its_answer_comes_back() {
    let server = start(|_| {}).await;
    let headers = "Accept: */*\r\nCookie: a=b\r\nContent-Type: text/plain\r\n";
    let answer = asks(&server, "PUT /rooms/a%20b/tell?x=1", headers, "hello").await;
    let (status, body) = parts(&answer);
    assert_eq!((status, &*body), (200, "PUT x=1 nobody accept,content-type hello"), "{answer}");
    for line in ["content-type: text/plain", "cache-control: no-store", "nosniff"] {
        assert!(answer.contains(line), "{answer}");
    }
    assert_eq!(heard("a b"), ["PUT /tell"]);
    assert_eq!(server.ask_for("/rooms/a%20b").await.0, 404, "it is the room's answer");
    assert_eq!(heard("a b"), ["PUT /tell", "GET /"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_in_the_room_hears_what_a_request_has_it_say() {
    let server = start(|_| {}).await;
    let mut client = server.join("/ws/http-asked").await;
    client.text().await;
    let answer = asks(&server, "POST /rooms/http-asked/say", "", "news").await;
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    assert!(answer.contains("location: /said\r\n"), "{answer}");
    assert_eq!(client.text().await, "news");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_again_with_the_same_key_is_answered_as_before() {
    let server = start(|_| {}).await;
    let key = "Idempotency-Key: k1\r\n";
    for _ in 0..2 {
        assert_eq!(status(&server, "POST /rooms/http-again/say", key, "once").await, 201);
    }
    assert_eq!(heard("http-again"), ["POST /say"]);
    let other = asks(&server, "POST /rooms/http-again/say", key, "twice").await;
    assert_eq!(parts(&other).0, 422);
    assert!(parts(&other).1.contains("Idempotency-Key"), "{other}");
    let twice = "Idempotency-Key: a\r\nIdempotency-Key: b\r\n";
    assert_eq!(status(&server, "POST /rooms/http-again/say", twice, "").await, 400);
    assert_eq!(heard("http-again"), ["POST /say"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_has_no_body_and_other_methods_are_a_405() {
    let server = start(|_| {}).await;
    let answer = asks(&server, "HEAD /rooms/http-heads/tell", "", "").await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\n"), "{answer}");
    let answer = asks(&server, "PROPFIND /rooms/http-heads/tell", "", "").await;
    assert!(answer.starts_with("HTTP/1.1 405 ") && answer.contains("allow: GET"), "{answer}");
    assert_eq!(heard("http-heads"), ["GET /tell"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_cannot_set_headers_that_are_not_its_own() {
    let server = start(|_| {}).await;
    let answer = server.get("/rooms/http-odd/odd").await;
    assert!(answer.contains("etag: \"a\""), "{answer}");
    assert!(!answer.contains("set-cookie") && !answer.contains("evil"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_past_the_limit_is_a_413_and_no_room_hears_of_it() {
    let server = start(|config| config.max_request_bytes = 10).await;
    assert_eq!(status(&server, "POST /rooms/http-large/say", "", "0123456789").await, 201);
    assert_eq!(status(&server, "POST /rooms/http-large/say", "", "0123456789a").await, 413);
    let chunked = "POST /rooms/http-large/say HTTP/1.1\r\nhost: here\r\ntransfer-encoding: chunked\r\n\
                   \r\n8\r\n01234567\r\n8\r\n01234567\r\n0\r\n\r\n";
    assert_eq!(parts(&server.raw(chunked.as_bytes()).await).0, 413);
    // By its length alone, which is told before it comes.
    let told = "POST /rooms/http-large/say HTTP/1.1\r\nhost: here\r\ncontent-length: 99999999999\r\n\
                expect: 100-continue\r\n\r\n";
    assert_eq!(parts(&server.raw(told.as_bytes()).await).0, 413);
    assert_eq!(heard("http-large"), ["POST /say"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_is_a_408() {
    let server = start(|config| config.http_stall_timeout = Duration::from_millis(100)).await;
    let begun =
        b"POST /rooms/http-slow/say HTTP/1.1\r\nhost: here\r\ncontent-length: 10\r\n\r\nabc";
    assert_eq!(parts(&server.raw(begun).await).0, 408);
    assert_eq!(heard("http-slow"), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_not_answered_in_time_is_a_504_and_may_still_happen() {
    let server = start(|config| config.request_timeout = Duration::from_millis(1)).await;
    let answer = asks(&server, "POST /rooms/http-late/work", "", "300").await;
    let (status, body) = parts(&answer);
    assert_eq!(status, 504);
    assert!(body.contains("may still happen"), "{body}");
    until_heard("http-late", "POST /work").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_waits_for_any_more_is_not_heard() {
    let server = start(|_| {}).await;
    let begins = async |line: &str| {
        let request = format!("{line} HTTP/1.1\r\nhost: here\r\ncontent-length: 0\r\n\r\n");
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    };
    // How many connections of plain HTTP there are beside the one that asks.
    let until_others = async |count: usize| {
        let line = format!("stateroom_connections{{kind=\"http\"}} {}\n", count + 1);
        within(async { while !server.get("/metrics").await.contains(&line) {} }).await;
    };
    let waits = begins("POST /rooms/http-gone/wait").await;
    until_heard("http-gone", "POST /wait").await;
    let goes = begins("POST /rooms/http-gone/say").await;
    until_others(2).await;
    drop(goes);
    until_others(1).await;
    HEARD.lock().unwrap().push(("http-gone".to_owned(), "go on".to_owned()));
    until_others(0).await;
    drop(waits);
    assert_eq!(status(&server, "POST /rooms/http-gone/last", "", "").await, 404);
    assert_eq!(heard("http-gone"), ["POST /wait", "go on", "POST /last"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_past_the_bound_are_a_503_that_says_when_to_come_back() {
    let server = start(|config| config.max_requests = 0).await;
    let answer = asks(&server, "POST /rooms/http-many/say", "", "").await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: "), "{answer}");
    assert_eq!(heard("http-many"), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_nobody_reads_take_the_places_of_requests() {
    let server = start(|config| config.max_request_bytes = 1024).await;
    let mut deaf = TcpStream::connect(server.address).await.unwrap();
    let request = b"GET /rooms/http-deaf/large HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n";
    deaf.write_all(request).await.unwrap();
    until_heard("http-deaf", "GET /large").await;
    let ask = async || server.ask_for("/rooms/http-others/tell").await.0;
    within(async {
        while ask().await != 503 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let mut answer = Vec::new();
    deaf.read_to_end(&mut answer).await.unwrap();
    assert!(answer.len() > 16 << 20 && answer.ends_with(b"xxx"));
    within(async {
        while ask().await != 200 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_cannot_start_is_a_503_and_one_that_fails_a_500_that_tells_nothing() {
    let server = start(|_| {}).await;
    let answer = server.get("/rooms/unstartable/tell").await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: "), "{answer}");
    let (status, body) = server.ask_for("/rooms/http-panics/panic").await;
    assert_eq!(status, 500);
    assert!(!body.contains("as asked"), "{body}");
    assert_eq!(server.ask_for("/rooms/http-panics/tell").await.0, 200, "a fresh room");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_of_requests_alone_ends_as_one_that_was_left() {
    let server = start(|config| config.empty_room_timeout = Duration::from_millis(50)).await;
    assert_eq!(server.ask_for("/rooms/http-left/tell").await.0, 200);
    server.until_status(|status| status["rooms"] == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_allowed_origins_may_read_answers_and_others_may_not_ask() {
    let allowed = "https://app.example.com";
    let server = start(|config| config.allowed_origins = vec![allowed.parse().unwrap()]).await;
    let origin = format!("Origin: {allowed}\r\n");
    let asked = "Access-Control-Request-Method: POST\r\n";
    let preflight =
        asks(&server, "OPTIONS /rooms/http-pages/say", &(origin.clone() + asked), "").await;
    assert!(preflight.starts_with("HTTP/1.1 204 "), "{preflight}");
    let answer = asks(&server, "POST /rooms/http-pages/say", &origin, "x").await;
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    for answer in [preflight.clone(), answer] {
        assert!(
            answer.contains("access-control-allow-origin: https://app.example.com"),
            "{answer}"
        );
        assert!(answer.contains("vary: origin"), "{answer}");
    }
    assert!(preflight.contains("access-control-allow-headers: authorization"), "{preflight}");

    let foreign = "Origin: https://evil.example\r\n";
    for line in [
        "OPTIONS /rooms/http-pages/say",
        "POST /rooms/http-pages/say",
        "GET /rooms/http-pages/tell",
    ] {
        let answer = asks(&server, line, foreign, "").await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
        assert!(!answer.contains("access-control-allow-origin"), "{answer}");
    }
    assert_eq!(heard("http-pages"), ["POST /say"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_enter_the_room_is_a_401_and_who_may_is_told_to_it() {
    let secret = b"a secret of more than 32 bytes, for tests";
    let mut keys = Keys::default();
    keys.add_secret(secret).unwrap();
    let auth = Auth { query_parameter: Some("jwt".to_owned()), ..Auth::new(keys) };
    let server = start(|config| config.auth = Some(auth)).await;
    assert_eq!(status(&server, "GET /rooms/http-known/tell", "", "").await, 401);
    let claims = json!({ "sub": "ada", "exp": 4_000_000_000_u64 });
    let key = EncodingKey::from_secret(secret);
    let token = encode(&Header::default(), &claims, &key).unwrap();
    let bearer = format!("Authorization: Bearer {token}\r\n");
    let answer = asks(&server, "GET /rooms/http-known/tell", &bearer, "").await;
    assert_eq!(parts(&answer), (200, "GET  ada  ".to_owned()), "{answer}");
    let answer = server.ask_for(&format!("/rooms/http-known/tell?a=1&jwt={token}")).await;
    assert_eq!(answer, (200, "GET a=1 ada  ".to_owned()), "the token is told to nobody");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_served_at_the_address_of_a_room_comes_first() {
    let folder = tempfile();
    std::fs::create_dir_all(folder.join("rooms/http-lobby")).unwrap();
    std::fs::write(folder.join("rooms/http-lobby/page.txt"), "a page").unwrap();
    let server = start(|config| config.static_path = Some(folder.clone())).await;
    assert_eq!(server.ask_for("/rooms/http-lobby/page.txt").await, (200, "a page".to_owned()));
    assert_eq!(heard("http-lobby"), [""; 0]);
    assert_eq!(server.ask_for("/rooms/http-lobby/tell").await.0, 200);
    std::fs::remove_dir_all(folder).unwrap();
}

/// A folder of its own.
fn tempfile() -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("stateroom-requests-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
