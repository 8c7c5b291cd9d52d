//! A connection that has not asked for anything yet: its request as far as it has come, and the client that
//! may come out of it.

use crate::{
    clock::time_of_day,
    config::ServerConfig,
    connections::Permit,
    request::{self, Head, Join},
    scratch::with_scratch,
};
use mio::net::TcpStream;
use std::{
    io::{self, ErrorKind, Read as _},
    net::IpAddr,
};

/// A connection whose request has not been read whole.
#[derive(Debug)]
pub(crate) struct Handshaking {
    pub(super) stream: TcpStream,
    pub(super) head: Vec<u8>,
    /// Whether there is no room for it.
    pub(super) is_refused: bool,
}

/// A client whose handshake is in order, on its way to the shard of its room.
#[derive(Debug)]
pub(crate) struct NewClient {
    pub(super) stream: TcpStream,
    pub(super) join: Join,
    /// Where it comes from, if that is not where its connection comes from.
    pub(super) forwarded_for: Option<IpAddr>,
    /// What it sent after the handshake.
    pub(super) early: Vec<u8>,
    /// Its part in the count of all connections, while it goes from one shard to the other.
    pub(super) permit: Option<Permit>,
}

impl Handshaking {
    pub(super) fn new(stream: TcpStream, is_refused: bool) -> Self {
        Handshaking { stream, head: Vec::new(), is_refused }
    }

    /// Reads what is there. `None` while the head is not whole; else what it is, and all that was
    /// read.
    pub(super) fn read(&mut self, config: &ServerConfig) -> io::Result<Option<(Head, Vec<u8>)>> {
        with_scratch(|scratch| {
            loop {
                let length = match self.stream.read(scratch) {
                    Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                    Ok(length) => length,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(error) => return Err(error),
                };
                self.head.extend_from_slice(scratch.get(..length).unwrap_or_default());
                match request::read(&self.head, config, time_of_day()) {
                    Head::Partial => {}
                    head => return Ok(Some((head, std::mem::take(&mut self.head)))),
                }
            }
        })
    }
}
