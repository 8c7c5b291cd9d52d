//! Clients that do what they should not: each is told, and nobody else notices.

use crate::support::{Client, TestServer, start, within};
use futures_util::StreamExt as _;
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_tungstenite::MaybeTlsStream;

/// A client whose frames the test writes byte by byte.
async fn raw_client(server: &TestServer, room: &str) -> Client {
    let mut client = server.join(&format!("/ws/{room}")).await;
    client.text().await;
    client
}

async fn write(client: &mut Client, bytes: &[u8]) {
    let MaybeTlsStream::Plain(stream) = client.0.get_mut() else { panic!("not plain") };
    // A server that has closed already may refuse the rest.
    let _ = stream.write_all(bytes).await;
}

/// A masked frame; the mask is zero, so that the payload stays readable.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first, 0x80 | payload.len() as u8, 0, 0, 0, 0];
    frame.extend_from_slice(payload);
    frame
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_instead_of_a_handshake_is_answered_or_dropped() {
    let server = start(|_| {}).await;
    assert!(server.raw(b"\x16\x03\x01\x02\x00garbage\r\n\r\n").await.starts_with("HTTP/1.1 400"));
    assert!(server.get("/ws/room").await.starts_with("HTTP/1.1 426"));
    let bad_key = b"GET /ws/room HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\n\
        upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: no\r\n\r\n";
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(bad_key).await.unwrap();
    let mut answer = [0; 12];
    within(stream.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 400");
    assert_eq!(server.status().await["rooms"], 0);
    raw_client(&server, "after").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_frames_are_closed_with_the_code_that_says_why() {
    let server = start(|config| config.max_message_bytes = 1000).await;
    let too_long = [&[0x82, 0xFE, 0x03, 0xE9][..], &[0; 4]].concat();
    let huge = [&[0x82, 0xFF][..], &u64::MAX.to_be_bytes(), &[0; 4]].concat();
    let fragments = [frame(0x02, &[1; 100]), frame(0x00, &[1; 100]).repeat(10)].concat();
    let cases: [(&str, Vec<u8>, u16); 12] = [
        ("not UTF-8", frame(0x81, b"\xFF\xFE"), 1007),
        ("not UTF-8 in a fragment", frame(0x01, b"ok \xC0"), 1007),
        ("UTF-8 cut off at the end", frame(0x81, b"\xE2\x82"), 1007),
        ("not masked", vec![0x81, 0x01, b'x'], 1002),
        ("a reserved bit", frame(0xC1, b"x"), 1002),
        ("an unknown opcode", frame(0x83, b"x"), 1002),
        ("a fragmented ping", frame(0x09, b"x"), 1002),
        ("a continuation of nothing", frame(0x80, b"x"), 1002),
        ("a close code of nobody", frame(0x88, &[0x03, 0xED]), 1002),
        ("one byte too big", too_long, 1009),
        ("a length past 63 bits", huge, 1002),
        ("too big in fragments", fragments, 1009),
    ];
    for (name, bytes, code) in cases {
        let mut client = raw_client(&server, "broken").await;
        write(&mut client, &bytes).await;
        assert_eq!(client.closed().await.0, code, "{name}");
    }
    let mut polite = raw_client(&server, "broken").await;
    assert_eq!(polite.ask("unharmed").await, "unharmed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_100_mebibytes_is_refused_at_its_header() {
    let server = start(|_| {}).await;
    let mut client = raw_client(&server, "mebibytes").await;
    let header = [&[0x82, 0xFF][..], &(100_u64 << 20).to_be_bytes(), &[0; 4]].concat();
    write(&mut client, &header).await;
    write(&mut client, &vec![0; 1 << 20]).await;
    assert_eq!(client.closed().await.0, 1009);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_fragments_for_ever_is_stopped_at_the_limit() {
    let server = start(|_| {}).await;
    let mut client = raw_client(&server, "fragments").await;
    write(&mut client, &frame(0x02, &[0; 100])).await;
    let fragments = frame(0x00, &[0; 100]).repeat(1000);
    for _ in 0..12 {
        write(&mut client, &fragments).await;
    }
    assert_eq!(client.closed().await.0, 1009);
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_are_read_whole_however_they_are_cut() {
    let server = start(|_| {}).await;
    let mut client = raw_client(&server, "cut").await;
    let bytes = [
        frame(0x01, "grüß ".as_bytes()),
        frame(0x89, b"ping"),
        frame(0x80, "dich".as_bytes()),
        frame(0x81, b"second"),
    ]
    .concat();
    for byte in bytes {
        write(&mut client, &[byte]).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(&*client.next().await.into_data(), b"ping");
    assert_eq!(client.text().await, "grüß dich");
    assert_eq!(client.text().await, "second");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_reads_is_closed_and_nobody_else_waits() {
    let server = start(|config| config.max_queue_bytes = 64 * 1024).await;
    let mut reader = raw_client(&server, "slow").await;
    let _never_reads = raw_client(&server, "slow").await;
    // Far more than the kernel's buffers hold.
    let mut longest = Duration::ZERO;
    for _ in 0..24 {
        let before = Instant::now();
        reader.send("flood 1").await;
        loop {
            match within(reader.0.next()).await.unwrap().unwrap() {
                message if message.is_binary() => break,
                other => assert_eq!(other.into_text().unwrap(), "2 left"),
            }
        }
        longest = longest.max(before.elapsed());
    }
    assert!(longest < Duration::from_secs(2), "the reader waited {longest:?}");
    assert_eq!(reader.ask("log").await, "connect 1,connect 2,disconnect 2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_pings_without_end_and_never_reads_is_closed() {
    let server = start(|config| config.max_queue_bytes = 64 * 1024).await;
    let mut witness = raw_client(&server, "pings").await;
    let mut pinger = raw_client(&server, "pings").await;
    let pings = frame(0x89, &[0; 125]).repeat(1000);
    let MaybeTlsStream::Plain(stream) = pinger.0.get_mut() else { panic!("not plain") };
    within(async { while stream.write_all(&pings).await.is_ok() {} }).await;
    assert_eq!(witness.text().await, "2 left");
}

#[tokio::test(flavor = "multi_thread")]
async fn small_messages_with_large_answers_get_them_all_in_order() {
    let server = start(|config| {
        config.max_queue_bytes = usize::MAX;
        config.max_queued_bytes = usize::MAX;
    })
    .await;
    let mut client = raw_client(&server, "amplified").await;
    // One read brings them all; their answers are 512 MiB.
    let questions = frame(0x81, b"flood 4").repeat(128);
    write(&mut client, &questions).await;
    for _ in 0..512 {
        assert_eq!(client.next().await.len(), 1024 * 1024);
    }
    assert_eq!(client.ask("and then").await, "and then");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_may_hang_up_in_the_middle_of_any_step() {
    let server = start(|config| config.empty_room_timeout = Duration::ZERO).await;
    let handshake = b"GET /ws/steps HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\n\
        upgrade: websocket\r\nsec-websocket-version: 13\r\n\
        sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let fragment = frame(0x01, b"half a");
    let ping = frame(0x89, b"ping");
    let close = frame(0x88, &[0x03, 0xE8]);
    let conversation = [&handshake[..], &fragment, &ping, &close].concat();
    for length in 0..conversation.len() {
        for reset in [false, true] {
            let mut stream = TcpStream::connect(server.address).await.unwrap();
            stream.write_all(&conversation[..length]).await.unwrap();
            if reset {
                stream.set_zero_linger().unwrap();
            }
        }
    }
    server.until_status(|status| status["active_connections"] == 0 && status["rooms"] == 0).await;
    raw_client(&server, "steps").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_connections_one_after_the_other_leave_nothing_behind() {
    let server = start(|config| config.empty_room_timeout = Duration::ZERO).await;
    let descriptors = || std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    let before = descriptors();
    let handshake = b"GET /ws/many HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\n\
        upgrade: websocket\r\nsec-websocket-version: 13\r\n\
        sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    for _ in 0..100 {
        let connections = (0..100).map(async |_| {
            let mut stream = TcpStream::connect(server.address).await.unwrap();
            stream.write_all(handshake).await.unwrap();
            let mut answer = [0; 12];
            within(stream.read_exact(&mut answer)).await.unwrap();
            assert_eq!(&answer, b"HTTP/1.1 101");
            stream.set_zero_linger().unwrap();
        });
        futures_util::future::join_all(connections).await;
    }
    server.until_status(|status| status["active_connections"] == 0 && status["rooms"] == 0).await;
    // The other tests of this process have some, too, for a while.
    within(async {
        while descriptors() > before + 20 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

/// A handshake for `/ws/handshakes` with this query, and these headers besides the usual ones.
fn handshake(query: &str, headers: &str) -> Vec<u8> {
    format!(
        "GET /ws/handshakes{query} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\n\
         upgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    )
    .into_bytes()
}

/// The status line of the answer to `segments`, which are sent one by one.
async fn status_of(server: &TestServer, segments: &[&[u8]]) -> String {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for segment in segments {
        // The server may have answered already.
        let _ = stream.write_all(segment).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut status = [0; 12];
    within(stream.read_exact(&mut status)).await.unwrap();
    String::from_utf8_lossy(&status).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_not_utf8_is_a_400() {
    let server = start(|_| {}).await;
    for query in ["?token=%FF", "?token=a%C3", "?x=1&token=%E2%82"] {
        assert_eq!(server.refusal(&format!("/ws/t{query}")).await, 400, "{query}");
    }
    server.join("/ws/t?token=%C3%BCber+all&token=%FF").await.text().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_past_the_limit_is_a_431_however_it_is_cut() {
    let server = start(|_| {}).await;
    let long = handshake("", &format!("x-padding: {}\r\n", "x".repeat(20_000)));
    let many = handshake("", &"x-many: 1\r\n".repeat(80));
    let plain =
        [&b"GET /status HTTP/1.1\r\nhost: x\r\nx: "[..], &[b'x'; 20_000], b"\r\n\r\n"].concat();
    for (name, head) in [("long", &long), ("many", &many), ("plain", &plain)] {
        for size in [head.len(), 10_000, 1_500] {
            let segments: Vec<_> = head.chunks(size).collect();
            let status = status_of(&server, &segments).await;
            assert_eq!(status, "HTTP/1.1 431", "{name} in segments of {size}");
        }
    }
    let fits = handshake("", &format!("x-padding: {}\r\n", "x".repeat(16_000)));
    assert_eq!(status_of(&server, &[&fits]).await, "HTTP/1.1 101");
    assert_eq!(status_of(&server, &fits.chunks(1_500).collect::<Vec<_>>()).await, "HTTP/1.1 101");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_are_a_400() {
    let server = start(|_| {}).await;
    assert_eq!(status_of(&server, &[&handshake("", "Host: y\r\n")]).await, "HTTP/1.1 400");
    let plain = b"GET /status HTTP/1.1\r\nhost: x\r\nhost: x\r\n\r\n";
    assert_eq!(status_of(&server, &[plain]).await, "HTTP/1.1 400");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_is_answered_with_its_code_and_an_empty_one_with_an_empty_one() {
    let server = start(|_| {}).await;
    for (payload, answer) in [
        (&[][..], &[0x88, 0][..]),
        (&[0x03, 0xE8], &[0x88, 2, 0x03, 0xE8]),
        (&[0x0F, 0xA0], &[0x88, 2, 0x0F, 0xA0]),
    ] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(&[handshake("", ""), frame(0x88, payload)].concat()).await.unwrap();
        let mut all = Vec::new();
        within(stream.read_to_end(&mut all)).await.unwrap();
        assert!(all.ends_with(answer), "{all:?} to {payload:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_does_not_come_whole_in_ten_seconds_is_given_up() {
    let server = start(|_| {}).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let began = Instant::now();
    stream.write_all(b"GET /ws/room HTTP/1.1\r\nhost: ").await.unwrap();
    let mut answer = Vec::new();
    let _ = within(stream.read_to_end(&mut answer)).await;
    let took = began.elapsed();
    assert!((Duration::from_secs(8)..Duration::from_secs(16)).contains(&took), "{took:?}");
}
