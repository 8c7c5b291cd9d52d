//! What waits for a client to read: frames that its socket would not take yet.

use crate::counters;
use bytes::{Buf as _, Bytes};
use mio::net::TcpStream;
use std::{
    collections::VecDeque,
    io::{self, ErrorKind, IoSlice, Write as _},
    time::{Duration, Instant},
};

/// How many pieces one system call writes at most; Linux takes 1,024.
pub(crate) const PIECES_PER_WRITE: usize = 64;

/// How much may wait for a client, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QueueLimits {
    /// In bytes, beside one message that is larger than this by itself.
    pub(crate) bytes: usize,
    /// How long it may read nothing.
    pub(crate) stall: Duration,
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Queue {
    frames: VecDeque<Bytes>,
    bytes: usize,
    /// The most bytes that one of the frames has, or had.
    largest: usize,
    /// When something of it was last written, or the first of it came.
    progressed: Instant,
}

impl Queue {
    pub(crate) fn new() -> Box<Self> {
        let progressed = Instant::now();
        Box::new(Queue { frames: VecDeque::new(), bytes: 0, largest: 0, progressed })
    }

    pub(crate) fn push(&mut self, frame: Bytes) {
        counters::add(|counters| {
            counters.queued_bytes = counters.queued_bytes.wrapping_add(frame.len() as u64);
        });
        self.bytes += frame.len();
        self.largest = self.largest.max(frame.len());
        self.frames.push_back(frame);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// How many bytes wait.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether more than `limit` bytes wait, beside one message larger than that.
    pub(crate) fn is_too_long(&self, limit: usize) -> bool {
        let large = if self.largest > limit { self.largest } else { 0 };
        self.bytes.saturating_sub(large) > limit
    }

    /// When something of it was last written, or the first of it came.
    pub(crate) fn progressed(&self) -> Instant {
        self.progressed
    }

    /// Writes what waits, as far as the socket takes it.
    pub(crate) fn write(&mut self, stream: &mut TcpStream) -> io::Result<()> {
        let written = write_frames(stream, &mut self.frames)?;
        if written > 0 && !self.is_empty() {
            self.bytes = self.bytes.saturating_sub(written);
            self.progressed = Instant::now();
            counters::add(|counters| {
                counters.queued_bytes = counters.queued_bytes.wrapping_sub(written as u64);
            });
        }
        Ok(())
    }

    /// The frames that wait.
    pub(crate) fn take_frames(&mut self) -> VecDeque<Bytes> {
        std::mem::take(&mut self.frames)
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        counters::add(|counters| {
            counters.queued_bytes = counters.queued_bytes.wrapping_sub(self.bytes as u64);
        });
    }
}

/// Writes frames until there are none left, or the socket is full, and tells how many bytes that were.
pub(crate) fn write_frames(
    stream: &mut TcpStream,
    frames: &mut VecDeque<Bytes>,
) -> io::Result<usize> {
    let mut all = 0;
    while !frames.is_empty() {
        let mut slices = [IoSlice::new(&[]); PIECES_PER_WRITE];
        let mut count = 0;
        for (slice, frame) in slices.iter_mut().zip(frames.iter()) {
            *slice = IoSlice::new(frame);
            count += 1;
        }
        let mut written = match stream.write_vectored(slices.get(..count).unwrap_or_default()) {
            Ok(written) => written,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(all),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        all += written;
        while let Some(first) = frames.front_mut() {
            if written < first.len() {
                first.advance(written);
                break;
            }
            written -= first.len();
            frames.pop_front();
        }
    }
    Ok(all)
}
