//! Bounds that fit: of the system's address space, and of what waits for a slow reader.

use super::{PATIENCE, enter, others::join, serve, site, start};
use crate::{kept::Site, preload::cached};
use std::{
    io::{Read as _, Write as _},
    process::{Command, Stdio},
    time::Duration,
};

#[tokio::test]
async fn a_server_starts_where_there_are_32_gib_of_addresses() {
    let site = site(&[]);
    let serve = cached(site.command());
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -v 33554432; exec \"$0\" \"$@\""]).arg(serve.get_program());
    command.args(serve.get_args()).stdin(Stdio::null());
    for (name, value) in serve.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let (_server, address) = start(&mut command);
    let mut talker = enter(&address, "test").await;
    super::add(&mut talker, 1).await;
}

#[test]
fn a_reader_that_is_slow_and_goes_on_is_not_closed_in_the_middle_of_a_large_message() {
    let site = Site::with(include_bytes!("bulk.wat"), &["--survives", "crash"]);
    let (_server, address) = serve(&site);
    let mut socket = join(&address, "test");
    // A masked text, which 8 MB are answered to; and a binary one.
    socket.write_all(b"\x81\x81\0\0\0\0x\x82\x81\0\0\0\0x").unwrap();
    // The heads of both answers, and what they hold.
    let wanted = 10 + 8_000_000 + 2 + 4;
    let mut heard: Vec<u8> = Vec::with_capacity(wanted);
    let mut part = vec![0_u8; 40_000];
    while heard.len() < wanted {
        let read = socket.read(&mut part).unwrap_or_else(|error| {
            panic!("{error}, after {} bytes, patient for {PATIENCE:?}", heard.len())
        });
        assert!(read > 0, "the connection ended after {} bytes", heard.len());
        heard.extend(&part[..read]);
        // At 2 MB in a second.
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(&heard[..10], b"\x82\x7f\0\0\0\0\0\x7a\x12\0");
    assert_eq!(&heard[wanted - 6..], b"\x81\x04tail");
}
