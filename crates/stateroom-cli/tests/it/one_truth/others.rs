//! What one client does, and what the others in its room, and in other rooms, notice of it.

use super::{PATIENCE, add, enter, serve, serve_with, site, start};
use crate::{
    ledgers::Talker,
    preload::{cached, delay_flushes},
    process::Running,
};
use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

/// What asks to join a room.
pub(super) fn handshake(room: &str) -> Vec<u8> {
    format!(
        "GET /ws/{room} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    .into_bytes()
}

/// Joins a room, and has a socket of which nothing is read but the answer to that.
pub(super) fn join(address: &str, room: &str) -> TcpStream {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.write_all(&handshake(room)).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    socket
}

#[tokio::test]
async fn who_sends_messages_that_fail_again_and_again_stops_nobody_else() {
    let site = site(&[]);
    let (_server, address) = serve(&site);
    let mut good = enter(&address, "test").await;
    let end = Instant::now() + Duration::from_secs(6);
    let bad = async {
        while Instant::now() < end {
            // It may be kept away.
            if let Ok(mut talker) = Talker::enter(&address, "test", 0, PATIENCE).await {
                let _ = talker.says("trap 0").await;
                while talker.next(PATIENCE).await.is_ok() {}
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    };
    let well = async {
        let (mut number, mut worst) = (0, Duration::ZERO);
        while Instant::now() < end {
            number += 1;
            let began = Instant::now();
            add(&mut good, number).await;
            worst = worst.max(began.elapsed());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        worst
    };
    let ((), worst) = tokio::join!(bad, well);
    // Far above what it takes, for machines on which much else goes on.
    assert!(worst < Duration::from_millis(500), "the worst wait was {worst:?}");
}

/// Sends messages of a MiB that nothing is answered to, until `end`, or till so many are sent.
fn flood(address: &str, room: &str, count: u32, end: Instant) {
    let mut socket = join(address, room);
    socket.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let size = (1_u64 << 20) - 64;
    let mut frame = vec![0x82, 0xff];
    frame.extend(size.to_be_bytes());
    frame.resize(frame.len() + 4 + size as usize, 0);
    for _ in 0..count {
        let mut rest = &frame[..];
        while !rest.is_empty() {
            match socket.write(rest) {
                _ if Instant::now() > end => return,
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                // It was closed for it.
                Err(_) => return,
            }
        }
    }
}

/// The memory of a process, in MiB.
fn memory(server: &Running) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

/// Talks in a calm room while another is flooded; gives the worst wait, and the most that the memory
/// of the server grew by.
async fn talk_beside_a_flood(
    server: &Running,
    address: &str,
    count: u32,
    end: Instant,
) -> (Duration, u64) {
    let mut calm = enter(address, "calm").await;
    add(&mut calm, 0).await;
    let before = memory(server);
    let flooding = {
        let address = address.to_owned();
        std::thread::spawn(move || flood(&address, "flooded", count, end))
    };
    let (mut worst, mut most, mut number) = (Duration::ZERO, before, 0);
    while !flooding.is_finished() {
        number += 1;
        let began = Instant::now();
        add(&mut calm, number).await;
        worst = worst.max(began.elapsed());
        most = most.max(memory(server));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    flooding.join().unwrap();
    (worst, most - before)
}

#[tokio::test]
async fn a_flood_takes_a_bounded_memory_and_stops_no_other_room() {
    let site = site(&[]);
    let (server, address) = serve(&site);
    let end = Instant::now() + Duration::from_secs(20);
    let (worst, grown) = talk_beside_a_flood(&server, &address, 500, end).await;
    assert!(grown < 150, "{grown} MiB more");
    assert!(worst < Duration::from_secs(1), "the other room waited {worst:?}");
}

#[tokio::test]
async fn a_flood_onto_a_slow_disk_takes_a_bounded_memory_and_ends_no_other_room() {
    let site = site(&["--survives", "power-loss"]);
    let mut command = cached(site.command());
    delay_flushes(&mut command, &site.data(), 1000);
    let (server, address) = start(&mut command);
    let end = Instant::now() + Duration::from_secs(15);
    let (_, grown) = talk_beside_a_flood(&server, &address, 2000, end).await;
    assert!(grown < 150, "{grown} MiB more");
}

#[tokio::test]
async fn a_service_that_recurses_without_end_costs_its_sender_and_not_the_process() {
    let site = crate::kept::Site::with(include_bytes!("deep.wat"), &["--stack-bytes", "2MiB"]);
    for mode in [&["--survives", "power-loss"][..], &["--ephemeral"]] {
        let (mut server, address) = serve_with(&site, mode);
        for _ in 0..2 {
            let mut deep = crate::kept::Member::join(&address, "deep").await;
            deep.says("down").await;
            let (code, _) = deep.ends().await.expect("a close frame");
            assert_eq!(code, 1011);
            assert!(server.ends_within(Duration::ZERO).is_none(), "{}", server.said());
            let mut other = crate::kept::Member::join(&address, "other").await;
            other.says("echo").await;
            assert_eq!(other.next().await.unwrap(), "echo");
        }
    }
}
