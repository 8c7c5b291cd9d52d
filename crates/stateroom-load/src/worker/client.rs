//! One client: its socket, how far its connection is, and what it has sent and heard.

use crate::{
    arrivals::Arrivals,
    errors_by_kind::Ending,
    receipts::Receipts,
    wire::{Frames, Key},
};
use mio::net::TcpStream;
use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    ops::Range,
};

/// How much may wait for a server that does not read before no more is sent to it, in bytes.
const MAX_UNWRITTEN: usize = 256 * 1024;

/// How far a connection is.
#[derive(Debug)]
pub(super) enum Stage {
    /// Its turn has not come.
    Waiting,
    /// TCP is connecting.
    Connecting,
    /// The inquiry of the dialect has been sent.
    Inquiring,
    /// The upgrade has been asked for.
    Upgrading(Key),
    /// The first message is waited for.
    FirstMessage,
    /// The answer to the first message is waited for.
    FirstEcho,
    /// It is open.
    Open,
    /// We have closed it, and the server has not yet.
    Closing,
    /// It is gone.
    Ended,
}

/// One client.
#[derive(Debug)]
pub(super) struct Client {
    /// Its number in the run.
    pub(super) number: u32,
    /// Its room, as the thread numbers them.
    pub(super) room: u32,
    pub(super) stage: Stage,
    /// When it began to open, or ought to have.
    pub(super) started: u64,
    /// Whether it has been open.
    pub(super) was_open: bool,
    stream: Option<TcpStream>,
    /// The start of a frame or answer whose end has not come.
    pub(super) carry: Vec<u8>,
    pub(super) frames: Frames,
    pub(super) arrivals: Arrivals,
    pub(super) receipts: Receipts,
    /// What the socket did not take yet.
    unwritten: Vec<u8>,
    /// Whether it is one that sends.
    pub(super) sends: bool,
    /// How many messages it has sent.
    pub(super) sent: u64,
    /// How many of these have a stamp.
    pub(super) stamped: u32,
    /// How many of the others may still be answered.
    pub(super) unstamped_in_flight: u64,
}

impl Client {
    /// The client `number` of the run in the thread's room `room`, which hears `senders`.
    pub(super) fn new(number: u32, room: u32, senders: Range<u32>, sends: bool) -> Self {
        Client {
            number,
            room,
            stage: Stage::Waiting,
            started: 0,
            was_open: false,
            stream: None,
            carry: Vec::new(),
            frames: Frames::default(),
            arrivals: Arrivals::new(senders),
            receipts: Receipts::default(),
            unwritten: Vec::new(),
            sends,
            sent: 0,
            stamped: 0,
            unstamped_in_flight: 0,
        }
    }

    /// Has `stream` from now on, which is connecting.
    pub(super) fn connecting(&mut self, stream: TcpStream, started: u64) {
        self.stream = Some(stream);
        self.started = started;
        self.stage = Stage::Connecting;
    }

    /// Whether TCP has connected.
    pub(super) fn is_connected(&self) -> Result<bool, Ending> {
        let Some(stream) = &self.stream else { return Ok(false) };
        if let Some(error) = stream.take_error().map_err(Ending::Connect)? {
            return Err(Ending::Connect(error));
        }
        match stream.peer_addr() {
            Ok(_) => stream.set_nodelay(true).map(|()| true).map_err(Ending::Connect),
            Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(Ending::Connect(error)),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open)
    }

    /// Whether it can send a message now.
    pub(super) fn can_send(&self) -> bool {
        self.is_open() && self.unwritten.len() < MAX_UNWRITTEN
    }

    /// How many messages it has sent that have not been answered.
    #[inline]
    pub(super) fn in_flight(&self) -> u64 {
        let answered = self.arrivals.next_of(self.number);
        u64::from(self.stamped.saturating_sub(answered)) + self.unstamped_in_flight
    }

    /// Reads what there is, once; `None` when there is nothing now.
    #[inline]
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let Some(stream) = &mut self.stream else { return Ok(None) };
        loop {
            match stream.read(buffer) {
                Ok(count) => return Ok(Some(count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes `bytes`, and keeps what the socket does not take.
    #[inline]
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.unwritten.is_empty() {
            let written = self.write_once(bytes)?;
            self.unwritten.extend_from_slice(bytes.get(written..).unwrap_or_default());
        } else {
            self.unwritten.extend_from_slice(bytes);
        }
        Ok(())
    }

    /// Writes what was kept, as far as the socket takes it.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if !self.unwritten.is_empty() {
            let mut unwritten = std::mem::take(&mut self.unwritten);
            let written = self.write_once(&unwritten)?;
            if written < unwritten.len() {
                unwritten.drain(..written);
                self.unwritten = unwritten;
            }
        }
        Ok(())
    }

    /// Writes until the socket takes no more; how much it took.
    fn write_once(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(stream) = &mut self.stream else { return Ok(bytes.len()) };
        let mut written = 0;
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            match stream.write(rest) {
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }

    /// Whether the socket has taken all that was written.
    pub(super) fn is_flushed(&self) -> bool {
        self.unwritten.is_empty()
    }

    /// Lets the socket go.
    pub(super) fn end(&mut self) {
        self.stage = Stage::Ended;
        self.stream = None;
        self.carry = Vec::new();
        self.unwritten = Vec::new();
        self.frames = Frames::default();
    }
}
