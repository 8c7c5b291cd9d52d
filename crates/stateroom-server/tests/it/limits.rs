//! Bounds on what clients can make grow, and what happens past each.

use crate::support::{Client, TestServer, parts, start, within};
use futures_util::{SinkExt as _, StreamExt as _};
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};
use tokio_tungstenite::{MaybeTlsStream, client_async, tungstenite::Message};

/// A client of `room` whose system takes little in advance of it.
async fn slow_client(server: &TestServer, room: &str) -> Client {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    let stream = socket.connect(server.address).await.unwrap();
    let url = format!("ws://{}/ws/{room}", server.address);
    let mut client = Client(client_async(url, MaybeTlsStream::Plain(stream)).await.unwrap().0);
    client.text().await;
    client
}

fn stream(client: &mut Client) -> &mut TcpStream {
    match client.0.get_mut() {
        MaybeTlsStream::Plain(stream) => stream,
        _ => panic!("not plain"),
    }
}

/// Reads about so many bytes a second, until what has been read ends with `last` or there is no more.
async fn read_slowly(client: &mut Client, bytes_a_second: usize, last: &[u8]) -> Vec<u8> {
    let stream = stream(client);
    let (mut all, start) = (Vec::new(), Instant::now());
    let mut chunk = vec![0; bytes_a_second / 50];
    while !all.ends_with(last) {
        let length = within(stream.read(&mut chunk)).await.unwrap();
        if length == 0 {
            break;
        }
        all.extend_from_slice(&chunk[..length]);
        let due = Duration::from_secs_f64(all.len() as f64 / bytes_a_second as f64);
        tokio::time::sleep(due.saturating_sub(start.elapsed())).await;
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_in_the_middle_of_a_large_message_gets_it_and_what_follows() {
    let server = start(|_| {}).await;
    let mut slow = slow_client(&server, "large").await;
    let mut other = server.join("/ws/large").await;
    other.text().await;
    slow.send("large 8").await;
    // Behind it comes what is small, while it is read at 4 MB a second.
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        other.send("others small").await;
    }
    other.send("others last").await;
    let all = read_slowly(&mut slow, 4_000_000, b"\x81\x04last").await;
    assert!(all.len() > 8 << 20, "it was closed after {} bytes", all.len());
    assert!(all.ends_with(&[&b"\x81\x05small".repeat(5)[..], b"\x81\x04last"].concat()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_nothing_for_the_timeout_is_closed_though_nothing_more_is_sent() {
    let server = start(|config| {
        config.slow_reader_timeout = Duration::from_millis(500);
        config.max_queue_bytes = usize::MAX;
    })
    .await;
    let mut witness = server.join("/ws/stalled").await;
    witness.text().await;
    let mut slow = slow_client(&server, "stalled").await;
    slow.send("large 16").await;
    assert_eq!(witness.text().await, "2 left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_slowly_but_on_is_not_closed() {
    let server = start(|config| config.slow_reader_timeout = Duration::from_millis(500)).await;
    let mut slow = slow_client(&server, "onward").await;
    slow.send("large 4").await;
    slow.send("end").await;
    let all = read_slowly(&mut slow, 2_000_000, b"\x81\x03end").await;
    assert!(all.len() > 4 << 20, "it was closed after {} bytes", all.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_client_that_closes_is_written_before_the_answer() {
    let server = start(|_| {}).await;
    let mut slow = slow_client(&server, "last-words").await;
    slow.send("large 8").await;
    slow.0.close(None).await.unwrap();
    let all = read_slowly(&mut slow, 4_000_000, b"\x88\x00").await;
    assert!(all.len() > 8 << 20, "it was closed after {} bytes", all.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_longer_than_the_closing_timeout_is_cut_off() {
    let server = start(|config| {
        config.closing_timeout = Duration::from_millis(200);
        config.empty_room_timeout = Duration::ZERO;
    })
    .await;
    let mut slow = slow_client(&server, "cut-off").await;
    slow.send("large 16").await;
    slow.0.close(None).await.unwrap();
    server.until_status(|status| status["active_connections"] == 0).await;
}

/// How much memory is taken by what waits for clients.
async fn queued_memory(server: &TestServer) -> usize {
    let text = server.ask_for("/metrics").await.1;
    let mut values =
        text.lines().filter_map(|line| line.strip_prefix("stateroom_queued_memory_bytes "));
    values.next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_that_read_slowly_take_no_more_than_all_may_and_nobody_else_notices() {
    const MOST: usize = 24 << 20;
    let server = start(|config| config.max_queued_bytes = MOST).await;
    let mut quick = server.join("/ws/quick").await;
    quick.text().await;
    let mut all = Vec::new();
    let mut highest = 0;
    // Without a bound for all they would take 100 MiB and more.
    for number in 0..32 {
        let mut slow = slow_client(&server, &format!("slow-{number}")).await;
        slow.send("large 8").await;
        all.push(slow);
        assert_eq!(quick.ask("still here").await, "still here");
        tokio::time::sleep(Duration::from_millis(20)).await;
        highest = highest.max(queued_memory(&server).await);
    }
    assert!((MOST / 2..=MOST).contains(&highest), "{highest} bytes");
    // Those who are there already get theirs.
    assert!(read_slowly(&mut all[0], 20_000_000, b"x").await.len() > 1);
    let first = all.remove(0);
    assert_eq!(quick.ask("still here").await, "still here");
    drop((first, all));
    within(async {
        while queued_memory(&server).await > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

/// The start of a binary message of one MiB, and so many bytes of it.
async fn begin_message(client: &mut Client, bytes: usize) {
    let header = [&[0x82, 0xFF][..], &(1_u64 << 20).to_be_bytes(), &[0; 4]].concat();
    let stream = stream(client);
    let _ = stream.write_all(&header).await;
    let _ = stream.write_all(&vec![0; bytes]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn past_the_bound_on_unfinished_messages_the_one_that_would_grow_is_closed_with_1013() {
    let server = start(|config| config.max_unfinished_bytes = 2 << 20).await;
    let mut greedy = Vec::new();
    for _ in 0..3 {
        let mut client = server.join("/ws/unfinished").await;
        client.text().await;
        begin_message(&mut client, 1 << 19).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        greedy.push(client);
    }
    // Somebody with little to say still gets it through, in pieces.
    let mut modest = server.join("/ws/unfinished").await;
    modest.text().await;
    let message = [&[0x81, 0x84, 0, 0, 0, 0][..], b"tidy"].concat();
    for byte in message {
        stream(&mut modest).write_all(&[byte]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(modest.text().await, "tidy");
    let last = &mut greedy[2];
    let _ = stream(last).write_all(&vec![0; 1 << 18]).await;
    assert_eq!(last.closed().await.0, 1013);
    // What it had held is free again.
    greedy.clear();
    let mut client = server.join("/ws/finished").await;
    client.text().await;
    client.0.send(Message::binary(vec![7; 1 << 20])).await.unwrap();
    assert_eq!(client.next().await.len(), 1 << 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn past_the_bound_on_connections_newcomers_are_told_503_or_wait() {
    let server = start(|config| config.max_connections = 64).await;
    let mut client = server.join("/ws/crowded").await;
    client.text().await;
    let mut idle = Vec::new();
    for _ in 0..59 {
        idle.push(TcpStream::connect(server.address).await.unwrap());
    }
    // One for whom there is no room is told so, also if it says nothing.
    assert_eq!(server.refusal("/ws/crowded").await, 503);
    let (status, text) = server.ask_for("/").await;
    assert_eq!(
        (status, &*text),
        (503, "the server has as many connections as it takes; try again later")
    );
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    let mut answer = String::new();
    within(silent.read_to_string(&mut answer)).await.unwrap();
    assert_eq!(parts(&answer).0, 503);
    // But a full server is well.
    assert_eq!(server.ask_for("/healthz").await, (200, "ok".to_owned()));
    // Of a crowd nobody gets more, and whoever is there notices nothing.
    let mut crowd = Vec::new();
    for _ in 0..100 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        crowd.push(stream);
    }
    assert_eq!(client.ask("still here").await, "still here");
    idle.clear();
    for mut stream in crowd {
        let mut answer = String::new();
        let _ = within(stream.read_to_string(&mut answer)).await;
        assert!(matches!(parts(&answer).0, 200 | 503), "{answer:?}");
    }
    assert_eq!(server.ask_for("/healthz").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_that_makes_no_progress_is_ended_and_one_that_does_is_not() {
    let folder = std::env::temp_dir().join(format!("stateroom-download-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("large"), vec![b'x'; 24 << 20]).unwrap();
    let server = start(|config| {
        config.static_path = Some(folder.clone());
        config.http_stall_timeout = Duration::from_millis(400);
    })
    .await;
    let ask = async || {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(64 * 1024).unwrap();
        let mut stream = socket.connect(server.address).await.unwrap();
        stream.write_all(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        stream
    };
    let (mut stalled, mut slow) = (ask().await, ask().await);
    let mut read = 0;
    let mut chunk = vec![0; 512 * 1024];
    loop {
        let length = within(slow.read(&mut chunk)).await.unwrap();
        read += length;
        if length == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(read > 24 << 20, "{read} bytes");
    let mut all = Vec::new();
    let _ = within(stalled.read_to_end(&mut all)).await;
    assert!(all.len() < 24 << 20, "it came whole, though nobody read for longer than the timeout");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_while_the_server_stood_still_is_read_before_anybody_is_called_silent() {
    let server = start(|config| {
        config.shards = 1;
        config.heartbeat_interval = Duration::from_millis(200);
        config.heartbeat_timeout = Duration::from_millis(400);
    })
    .await;
    let mut ann = server.join("/ws/standstill").await;
    let mut bob = server.join("/ws/elsewhere").await;
    ann.text().await;
    bob.text().await;
    // Its only thread computes, and lends nothing.
    ann.send("work 1500000").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(bob.ask("still here").await, "still here");
    assert_eq!(ann.ask("and I").await, "and I");
    // Those who are truly silent are let go all the same.
    drop((ann, bob));
    let mut raw = server.join("/ws/silent").await;
    raw.text().await;
    server.until_status(|status| status["active_connections"] == 0).await;
    assert!(raw.0.next().await.is_some_and(|message| message.is_ok()), "it was pinged first");
}

#[tokio::test(flavor = "multi_thread")]
async fn services_have_the_stack_that_is_set_also_beside_a_busy_room() {
    let server = start(|config| {
        config.shards = 1;
        config.thread_stack_bytes = Some(48 << 20);
    })
    .await;
    let mut client = server.join("/ws/deep").await;
    client.text().await;
    // More than the 2 MiB that a thread has otherwise.
    assert_eq!(client.ask("recurse 8000").await, "8001");
    let mut busy = server.join("/ws/busy").await;
    busy.text().await;
    busy.send("busy 300").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(client.ask("recurse 8000").await, "8001");
    assert_eq!(busy.text().await, "done");
}
