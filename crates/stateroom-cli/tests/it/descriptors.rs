//! A server that runs out of descriptors says so, serves whom it has, and recovers.

use crate::{
    process::{Running, stateroom, until_status},
    project::{Module, REMEMBERING_ROOM},
};
use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

const HANDSHAKE: &[u8] = b"GET /ws/test HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\n\
    upgrade: websocket\r\nsec-websocket-version: 13\r\n\
    sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A server whose process may have 300 descriptors, and its address.
fn serve() -> (Running, String) {
    let module = Module::new(REMEMBERING_ROOM);
    let serve = stateroom(["serve", "--host", "127.0.0.1", "--port", "0"]);
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 300; exec \"$0\" \"$@\""]).arg(serve.get_program());
    command.args(serve.get_args()).arg(&module.path).stdin(Stdio::null());
    for (name, value) in serve.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let mut server = Running::start(&mut command);
    let address = server.address();
    (server, address)
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// Asks to join the room, and gives the status that is answered.
fn join(address: &str) -> (TcpStream, u16) {
    let mut stream = connect(address);
    stream.write_all(HANDSHAKE).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    let status = String::from_utf8(head[9..12].to_vec()).unwrap();
    (stream, status.parse().unwrap())
}

/// Sends a text and reads an answer of this length.
fn ask(stream: &mut TcpStream, text: &str, length: usize) -> String {
    let header = [0x81, 0x80 | text.len() as u8, 0, 0, 0, 0];
    stream.write_all(&[&header, text.as_bytes()].concat()).unwrap();
    let mut answer = vec![0; 2 + length];
    stream.read_exact(&mut answer).unwrap();
    String::from_utf8(answer.split_off(2)).unwrap()
}

fn assert_idle(server: &Running) {
    let before = server.cpu_time();
    std::thread::sleep(Duration::from_secs(1));
    let spent = server.cpu_time() - before;
    assert!(spent < Duration::from_millis(200), "it computed for {spent:?} in a second");
}

#[test]
fn clients_past_what_the_descriptors_allow_are_answered_503() {
    let (mut server, address) = serve();
    let mut clients: Vec<TcpStream> = Vec::new();
    let refused = loop {
        match join(&address) {
            (client, 101) => clients.push(client),
            (_, status) => break status,
        }
        assert!(clients.len() < 300);
    };
    assert_eq!(refused, 503);
    assert!(clients.len() >= 100, "only {} were let in", clients.len());
    server.hears("a client was turned away");
    assert_eq!(ask(&mut clients[0], "hello", 0), "");
    assert_eq!(ask(&mut clients[1], "again", 5), "hello");
    assert_idle(&server);

    clients.truncate(50);
    until_status(&address, |status| status["active_connections"] == 50);
    let (mut client, status) = join(&address);
    assert_eq!(status, 101);
    assert_eq!(ask(&mut client, "third", 5), "again");
}

#[test]
fn connections_past_the_last_descriptor_wait_and_nobody_else_notices() {
    let (server, address) = serve();
    let (mut client, status) = join(&address);
    assert_eq!(status, 101);
    // They ask for nothing, so nothing can be answered.
    let idle: Vec<TcpStream> = (0..400).map(|_| connect(&address)).collect();
    assert_eq!(ask(&mut client, "hello", 0), "");
    assert_idle(&server);
    let before = Instant::now();
    drop(idle);
    let (mut other, status) = join(&address);
    assert_eq!(status, 101);
    assert!(before.elapsed() < Duration::from_secs(5), "{:?}", before.elapsed());
    assert_eq!(ask(&mut other, "again", 5), "hello");
}
