//! Who says something and leaves at once is answered all the same.

use super::{PATIENCE, others::join, serve_with, site};
use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpStream},
};

const TRIES: usize = 30;

/// A masked text, `log`, which a ledger answers.
const MESSAGE: &[u8] = b"\x81\x83\0\0\0\0log";

/// A masked close with the code 1000.
const CLOSE: &[u8] = b"\x88\x82\0\0\0\0\x03\xe8";

/// In each mode, has clients join, and leave like this; all of them must have been answered.
fn all_are_answered(leave: impl Fn(&mut TcpStream)) {
    for mode in [&["--survives", "power-loss"][..], &["--survives", "crash"], &["--ephemeral"]] {
        let site = site(&[]);
        let (_server, address) = serve_with(&site, mode);
        let mut answered = 0;
        for _ in 0..TRIES {
            // Its welcome may still be on its way.
            let mut socket = join(&address, "test");
            leave(&mut socket);
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut heard = Vec::new();
            // However it ends then.
            let _ = socket.read_to_end(&mut heard);
            answered += usize::from(heard.windows(5).any(|bytes| bytes == b"log ["));
        }
        assert_eq!(answered, TRIES, "{mode:?}");
    }
}

#[test]
fn a_message_right_before_a_close_is_answered() {
    all_are_answered(|socket| {
        socket.write_all(MESSAGE).unwrap();
        socket.write_all(CLOSE).unwrap();
    });
}

#[test]
fn a_message_in_one_packet_with_a_close_is_answered() {
    all_are_answered(|socket| socket.write_all(&[MESSAGE, CLOSE].concat()).unwrap());
}

#[test]
fn a_message_right_before_a_half_close_is_answered() {
    all_are_answered(|socket| {
        socket.write_all(MESSAGE).unwrap();
        socket.shutdown(Shutdown::Write).unwrap();
    });
}
