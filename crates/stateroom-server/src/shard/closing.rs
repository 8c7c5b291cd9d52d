//! The end of a connection: what waits, a close frame, and time for it to be read.
//!
//! A socket that is dropped while the client still sends is reset, and the client may then never
//! see the close frame; so the server closes its side and reads on until the client has closed
//! too, for a bounded time. Whoever has said that it goes sends no more, and is not waited for.

use crate::{
    frame::Frame,
    queue::write_frames,
    scratch::with_scratch,
    websocket::{CloseCode, encode_close},
};
use mio::net::TcpStream;
use std::{
    collections::VecDeque,
    io::{ErrorKind, Read as _},
    net::Shutdown,
};

/// A connection that is being closed.
#[derive(Debug)]
pub(crate) struct Closing {
    stream: TcpStream,
    /// What waits to be written, the close frame last.
    queue: VecDeque<Frame>,
    written: bool,
    /// Whether the client may still be sending.
    may_send: bool,
}

/// How far a connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// The client has still to read.
    Writing,
    /// All is said, and the client has still to close its side.
    Waiting,
    /// It is over.
    Over,
}

impl Closing {
    /// Closes a WebSocket, with a close frame.
    pub(crate) fn new(
        stream: TcpStream,
        mut queue: VecDeque<Frame>,
        code: CloseCode,
        reason: &str,
        may_send: bool,
    ) -> Self {
        queue.push_back(Frame::uncounted(encode_close(code, reason)));
        Closing { stream, queue, written: false, may_send }
    }

    /// Closes what has never become a WebSocket, with a response.
    pub(crate) fn with_response(stream: TcpStream, response: String) -> Self {
        let queue = VecDeque::from([Frame::uncounted(response.into_bytes())]);
        Closing { stream, queue, written: false, may_send: true }
    }

    /// Hands the system the close frame alone, to go out together with the end of the connection:
    /// a packet less for each of those who come and go.
    #[cfg(unix)]
    fn close_at_once(&self) -> bool {
        use rustix::net::{SendFlags, send};
        let (1, Some(frame)) = (self.queue.len(), self.queue.front()) else { return false };
        #[cfg(target_os = "linux")]
        let flags = SendFlags::NOSIGNAL | SendFlags::MORE;
        #[cfg(not(target_os = "linux"))]
        let flags = SendFlags::empty();
        send(&self.stream, frame.bytes(), flags) == Ok(frame.len())
    }

    #[cfg(not(unix))]
    fn close_at_once(&self) -> bool {
        false
    }

    /// Goes as far as it can without waiting. After an error it is over: the client has
    /// gone.
    pub(crate) fn go_on(&mut self) -> Progress {
        if !self.may_send && self.close_at_once() {
            return Progress::Over;
        }
        if !self.written {
            match write_frames(&mut self.stream, &mut self.queue) {
                Ok(_) if !self.queue.is_empty() => return Progress::Writing,
                Ok(_) => {}
                Err(_) => return Progress::Over,
            }
            self.written = true;
            if !self.may_send {
                return Progress::Over;
            }
            if self.stream.shutdown(Shutdown::Write).is_err() {
                return Progress::Over;
            }
        }
        with_scratch(|ignored| {
            loop {
                match self.stream.read(ignored) {
                    Ok(0) => return Progress::Over,
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        return Progress::Waiting;
                    }
                    Err(_) => return Progress::Over,
                }
            }
        })
    }
}
