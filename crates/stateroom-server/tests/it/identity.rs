//! Who is let in with which token and from which page, and when they have to go.

use crate::support::{Client, TestServer, heard, parts, start, until_heard, within};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use stateroom_server::{AllowedOrigin, Auth, Keys};
use std::time::{Duration, SystemTime};
use tokio_tungstenite::{connect_async, tungstenite::client::IntoClientRequest as _};

const SECRET: &[u8] = b"a secret of more than 32 bytes, for tests";
const RSA: &[u8] = include_bytes!("../keys/rsa.pem");
const RSA_PUBLIC: &[u8] = include_bytes!("../keys/rsa.pub.pem");

/// So many seconds from now, as a token tells a time.
fn after(seconds: i64) -> i64 {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    i64::try_from(now).unwrap() + seconds
}

fn signed(claims: &Value) -> String {
    encode(&Header::default(), claims, &EncodingKey::from_secret(SECRET)).unwrap()
}

/// A token of somebody for a minute.
fn token(subject: &str) -> String {
    signed(&json!({ "sub": subject, "exp": after(60) }))
}

fn auth() -> Auth {
    let mut keys = Keys::default();
    keys.add_secret(SECRET).unwrap();
    let leeway = Duration::ZERO;
    Auth { query_parameter: Some("jwt".to_owned()), leeway, ..Auth::new(keys) }
}

async fn start_with(auth: Auth) -> TestServer {
    start(|config| config.auth = Some(auth)).await
}

/// Opens a room with these headers; the client, and the subprotocol that was answered.
async fn open(
    server: &TestServer,
    path: &str,
    headers: &[(&'static str, &str)],
) -> (Client, String) {
    let mut request = format!("ws://{}{path}", server.address).into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    let (socket, answer) = connect_async(request).await.unwrap();
    let answered = answer.headers().get("sec-websocket-protocol");
    let answered = answered.map_or("", |value| value.to_str().unwrap()).to_owned();
    (Client(socket), answered)
}

/// The handshake of somebody who wants to enter a room with these lines of headers.
fn handshake(path: &str, lines: &[u8]) -> Vec<u8> {
    let usual = "Host: rooms.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    [format!("GET {path} HTTP/1.1\r\n{usual}").as_bytes(), lines, b"\r\n"].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_a_header_a_subprotocol_or_the_query_lets_its_client_in() {
    let server = start_with(auth()).await;
    let ada = token("ada");
    let by_header = format!("Bearer {ada}");
    let (mut client, answered) = open(&server, "/ws/ways", &[("authorization", &by_header)]).await;
    assert_eq!((&*client.text().await, &*answered), ("you are 1 in ways", ""));
    // The token stands before or after what is really spoken, and is never answered.
    let bob = token("bob");
    for offers in [format!("chat, bearer.{bob}"), format!("bearer.{bob}, chat")] {
        let offers = [("sec-websocket-protocol", &*offers)];
        let (mut client, answered) = open(&server, "/ws/ways", &offers).await;
        assert_eq!((&*client.text().await, &*answered), ("you are 2 in ways", "chat"));
    }
    let mut client = server.join(&format!("/ws/ways?jwt={}", token("eve"))).await;
    assert_eq!(client.text().await, "you are 3 in ways");
    // Where it is all that is offered, nothing is answered.
    let lines = format!("Sec-WebSocket-Protocol: bearer.{bob}\r\n");
    let answer = first_answer(&server, &handshake("/ws/ways", lines.as_bytes())).await;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    assert!(!answer.to_lowercase().contains("sec-websocket-protocol"), "{answer}");
}

/// The head of what is answered.
async fn first_answer(server: &TestServer, request: &[u8]) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
        assert_ne!(within(stream.read_buf(&mut answer)).await.unwrap(), 0);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_are_wrong_are_refused_with_what_to_do_and_nobody_else_notices() {
    let mut keys = Keys::default();
    keys.add_secret(SECRET).unwrap();
    keys.add_public_key(RSA_PUBLIC).unwrap();
    let server = start_with(Auth {
        issuer: Some("https://id.example.com".to_owned()),
        audience: Some("rooms".to_owned()),
        rooms_claim: Some("rooms".to_owned()),
        keys,
        ..auth()
    })
    .await;
    let claims = |changed: &Value| {
        let mut claims = json!({
            "sub": "ada", "exp": after(60), "iss": "https://id.example.com", "aud": "rooms",
            "rooms": ["lobby", "team-*"],
        });
        claims.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
        claims
    };
    let with = |changed: &Value| signed(&claims(changed));
    let good = with(&json!({}));
    let by_rsa = EncodingKey::from_rsa_pem(RSA).unwrap();
    let by_rsa = encode(&Header::new(Algorithm::RS256), &claims(&json!({})), &by_rsa).unwrap();
    let bearer = |token: &str| format!("Authorization: Bearer {token}\r\n").into_bytes();
    let enter = async |path: &str, token: &str| {
        let answer = server.raw(&handshake(path, &bearer(token))).await;
        assert!(answer.to_lowercase().contains("\r\nwww-authenticate: bearer"), "{answer}");
        parts(&answer)
    };
    let (mut member, _) =
        open(&server, "/ws/lobby", &[("authorization", &format!("Bearer {by_rsa}"))]).await;
    assert_eq!(member.text().await, "you are 1 in lobby");

    let (head, signature) = good.rsplit_once('.').unwrap();
    let (other_head, _) = by_rsa.rsplit_once('.').unwrap();
    // The key that everybody knows, taken for a secret.
    let confused = EncodingKey::from_secret(RSA_PUBLIC);
    let confused = encode(&Header::default(), &claims(&json!({})), &confused).unwrap();
    let (_, rest) = good.split_once('.').unwrap();
    let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", rest.split_once('.').unwrap().0);
    let foreign =
        encode(&Header::default(), &claims(&json!({})), &EncodingKey::from_secret(&[7; 32]));
    for (token, told) in [
        ("no-token", "must be a JWT"),
        (&*unsigned, "must be a JWT"),
        (&*confused, "signature is wrong"),
        (&*foreign.unwrap(), "signature is wrong"),
        (&*format!("{other_head}.{signature}"), "signature is wrong"),
        (&*format!("{head}x.{signature}"), "signature is wrong"),
        (&*with(&json!({ "exp": after(-1) })), "expired: log in again"),
        (&*with(&json!({ "nbf": after(60) })), "not valid yet"),
        (&*with(&json!({ "iss": "https://evil.example" })), "issuer"),
        (&*with(&json!({ "aud": ["other"] })), "audience"),
        (&*with(&json!({ "sub": "x".repeat(256) })), "1 to 255 bytes"),
        (&*"x".repeat(8193), "at most 8192 bytes"),
    ] {
        let (status, body) = enter("/ws/lobby", token).await;
        assert_eq!(status, 401, "{told}: {body}");
        assert!(body.contains(told), "{told}: {body}");
    }
    let (status, body) = enter("/ws/other", &good).await;
    assert_eq!(status, 403, "{body}");
    assert!(body.contains("its claim `rooms` has to name it"), "{body}");
    let (status, body) = parts(&server.raw(&handshake("/ws/lobby", b"")).await);
    assert_eq!(status, 401);
    assert!(body.contains("Authorization: Bearer TOKEN"), "{body}");
    // What is no UTF-8, in each of the ways.
    for (path, lines) in [
        ("/ws/lobby", &b"Authorization: Bearer \xFF\r\n"[..]),
        ("/ws/lobby", b"Sec-WebSocket-Protocol: bearer.\xFF\r\n"),
        ("/ws/lobby?jwt=%FF", b""),
    ] {
        assert_eq!(parts(&server.raw(&handshake(path, lines)).await).0, 401, "{path}");
    }
    let twice = handshake(&format!("/ws/lobby?jwt={good}"), &bearer(&good));
    assert_eq!(parts(&server.raw(&twice).await).0, 400);

    // Those who are there have heard nothing of all that, and those with good tokens come in.
    assert_eq!(member.ask("still here").await, "still here");
    assert_eq!(heard("lobby"), ["connect 1"]);
    server.join(&format!("/ws/team-7?jwt={good}")).await.text().await;
    let metrics = server.get("/metrics").await;
    let refused = |reason: &str, count: usize| {
        let line = format!("{{reason=\"{reason}\"}} {count}\n");
        assert!(metrics.contains(&line), "{line}{metrics}");
    };
    refused("auth", 17);
    refused("auth_room", 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_is_the_same_client_on_all_devices_and_with_a_token_for_each_is_not() {
    let server = start_with(Auth { anonymous: true, ..auth() }).await;
    let enter = async |subject: &str, more: &str| {
        let path = format!("/ws/devices?jwt={}{more}", token(subject));
        let mut client = server.join(&path).await;
        let greeting = client.text().await;
        (client, greeting)
    };
    let (mut laptop, greeting) = enter("ada", "").await;
    assert_eq!(greeting, "you are 1 in devices");
    // The newer connection takes over.
    let (_phone, greeting) = enter("ada", "").await;
    assert_eq!(greeting, "you are 1 in devices");
    assert_eq!(laptop.closed().await.0, 1008);
    let (_bob, greeting) = enter("bob", "").await;
    assert_eq!(greeting, "you are 2 in devices");
    let (mut tab, greeting) = enter("ada", "&token=tab").await;
    assert_eq!(greeting, "you are 3 in devices");
    let (_tab, greeting) = enter("ada", "&token=tab").await;
    assert_eq!((&*greeting, tab.closed().await.0), ("you are 3 in devices", 1008));
    // The same token is of nobody else, whether they have logged in or not.
    assert_eq!(enter("bob", "&token=tab").await.1, "you are 4 in devices");
    let mut anonymous = server.join("/ws/devices?token=tab").await;
    assert_eq!(anonymous.text().await, "you are 5 in devices");
    let mut anonymous = server.join("/ws/devices?token=ada").await;
    assert_eq!(anonymous.text().await, "you are 6 in devices");
    for forged in ["%00ada", "%00ada%00tab"] {
        assert_eq!(server.refusal(&format!("/ws/devices?token={forged}")).await, 400);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_may_be_used_again_until_it_expires_and_then_its_client_is_closed_with_4201() {
    let server = start_with(Auth { anonymous: true, ..auth() }).await;
    let mut anonymous = server.join("/ws/until").await;
    anonymous.text().await;
    let path = format!("/ws/until?jwt={}", signed(&json!({ "sub": "ada", "exp": after(3) })));
    for _ in 0..2 {
        let mut client = server.join(&path).await;
        assert_eq!(client.text().await, "you are 2 in until");
        client.0.close(None).await.unwrap();
        until_heard("until", "disconnect 2").await;
    }
    let mut client = server.join(&path).await;
    assert_eq!(client.text().await, "you are 2 in until");
    let (code, reason) = client.closed().await;
    assert_eq!((code, &*reason), (4201, "the token has expired: log in again"));
    assert_eq!(server.refusal(&path).await, 401, "it is not taken a second time");
    until_heard("until", "disconnect 2").await;
    // With a new token it is who it was; the others are there all the time.
    let mut client = server.join(&format!("/ws/until?jwt={}", token("ada"))).await;
    assert_eq!(client.text().await, "you are 2 in until");
    anonymous.send("quiet").await;
    assert!(!heard("until").contains(&"disconnect 1".to_owned()));
    assert!(server.get("/metrics").await.contains("{reason=\"expired\"} 1\n"));
    // And it is not closed when the token before it would have been.
    let closed = tokio::time::timeout(Duration::from_secs(1), client.closed()).await;
    assert!(closed.is_err(), "{closed:?}");
    assert_eq!(client.ask("here").await, "here");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_hosts_may_not_open_rooms_unless_they_are_named() {
    let page = |origin: &str| handshake("/ws/pages", format!("Origin: {origin}\r\n").as_bytes());
    let status = async |server: &TestServer, request: &[u8]| {
        let answer = first_answer(server, request).await;
        let (status, _) = parts(&answer);
        (status, answer)
    };
    let server = start(|_| {}).await;
    // Without an origin it is no browser.
    assert_eq!(status(&server, &handshake("/ws/pages", b"")).await.0, 101);
    assert_eq!(status(&server, &page("https://rooms.example.com")).await.0, 101);
    assert_eq!(status(&server, &page("https://rooms.example.com:8443")).await.0, 101);
    for origin in ["https://evil.example", "https://example.com", "null", "", "\u{e9}"] {
        assert_eq!(status(&server, &page(origin)).await.0, 403, "{origin}");
    }
    let two = b"Origin: https://rooms.example.com\r\nOrigin: https://evil.example\r\n";
    assert_eq!(status(&server, &handshake("/ws/pages", two)).await.0, 403);
    let answer = server.raw(&page("https://evil.example")).await;
    assert!(answer.contains("https://evil.example may not open rooms here"), "{answer}");
    assert!(answer.contains("`allowed_origins`"), "{answer}");
    // Pages and the like are anybody's to read.
    let request = b"GET /healthz HTTP/1.1\r\nhost: x\r\norigin: https://evil.example\r\nconnection: close\r\n\r\n";
    assert_eq!(parts(&server.raw(request).await).0, 200);
    assert!(server.get("/metrics").await.contains("{reason=\"origin\"} 7\n"));

    let server = start(|config| {
        config.allowed_origins = vec!["https://*.example.org".parse().unwrap()];
    })
    .await;
    assert_eq!(status(&server, &page("https://app.example.org")).await.0, 101);
    assert_eq!(status(&server, &page("https://rooms.example.com")).await.0, 403);
    let server = start(|config| config.allowed_origins = vec![AllowedOrigin::ANY]).await;
    assert_eq!(status(&server, &page("https://evil.example")).await.0, 101);
}
