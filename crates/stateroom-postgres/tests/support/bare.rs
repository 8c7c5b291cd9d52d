//! The protocol of PostgreSQL by hand, for what no driver does: a statement without a Sync.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

/// A connection on which a statement was executed, of which the transaction stays open.
pub(crate) struct Open(#[allow(dead_code)] TcpStream);

/// Executes a statement, and sends no Sync. Returns once the server has done it.
pub(crate) fn execute_without_sync(port: u16, application: &str, sql: &str) -> Open {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    let mut start = 196_608_i32.to_be_bytes().to_vec();
    for word in ["user", "postgres", "database", "rooms", "application_name", application, ""] {
        start.extend(word.as_bytes());
        start.push(0);
    }
    let length = i32::try_from(start.len() + 4).expect("short").to_be_bytes();
    stream.write_all(&[&length[..], &start].concat()).expect("sent");
    read_until(&mut stream, b'Z');
    let parse = [b"\0", sql.as_bytes(), b"\0\0\0"].concat();
    let (bind, execute) = (b"\0\0\0\0\0\0\0\0".to_vec(), b"\0\0\0\0\0".to_vec());
    for (tag, body) in [(b'P', parse), (b'B', bind), (b'E', execute), (b'H', Vec::new())] {
        let length = i32::try_from(body.len() + 4).expect("short").to_be_bytes();
        stream.write_all(&[&[tag][..], &length, &body].concat()).expect("sent");
    }
    read_until(&mut stream, b'C');
    Open(stream)
}

fn read_until(stream: &mut TcpStream, wanted: u8) {
    loop {
        let mut head = [0; 5];
        stream.read_exact(&mut head).expect("an answer");
        let length = i32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let mut body = vec![0; usize::try_from(length).expect("a length") - 4];
        stream.read_exact(&mut body).expect("an answer");
        assert_ne!(head[0], b'E', "{}", String::from_utf8_lossy(&body));
        if head[0] == wanted {
            return;
        }
    }
}
