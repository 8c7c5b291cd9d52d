//! One client's socket: reads its messages, writes what is for it.

use crate::{
    rooms::Seat,
    websocket::{Appetite, Decoder, Incoming, ProtocolError},
};
use bytes::{Buf as _, Bytes};
use stateroom::ClientId;
use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    ops::Range,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Instant,
};
use tokio::{
    io::{AsyncRead as _, AsyncWrite as _, ReadBuf},
    net::TcpStream,
};

/// How many pieces one system call writes at most; Linux takes 1,024.
const PIECES_PER_WRITE: usize = 64;

/// An open WebSocket in a room.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    decoder: Decoder,
    /// Notes in the room's readiness that this socket is ready.
    waker: Waker,
    /// Which client this is; `None` once the room has closed it.
    pub(crate) client: Option<ClientId>,
    /// What of the room's current batch is for this client.
    pub(crate) batch: Vec<Range<usize>>,
    /// Frames that the socket would not take yet.
    queue: VecDeque<Bytes>,
    queued_bytes: usize,
    pub(crate) heard: Instant,
    pub(crate) pinged: bool,
    seat: Seat,
}

/// How a look at a socket ended.
#[derive(Debug)]
pub(crate) enum Reading {
    /// There is no more for now; the waker is called when there is.
    Waiting,
    /// There may be more, but others have a turn first.
    More,
    /// The client is gone, with no farewell to say.
    Gone,
    /// The client broke the protocol.
    Broken(ProtocolError),
}

impl Connection {
    pub(crate) fn new(
        stream: TcpStream,
        decoder: Decoder,
        waker: Waker,
        client: ClientId,
        seat: Seat,
        now: Instant,
    ) -> Self {
        Connection {
            stream,
            decoder,
            waker,
            client: Some(client),
            batch: Vec::new(),
            queue: VecDeque::new(),
            queued_bytes: 0,
            heard: now,
            pinged: false,
            seat,
        }
    }

    /// Reads what is there, up to the size of `scratch`, and tells `hear` of each message in it.
    pub(crate) fn read(
        &mut self,
        scratch: &mut [u8],
        now: Instant,
        hear: impl FnMut(Incoming<'_>) -> Appetite,
    ) -> Reading {
        if self.decoder.is_paused() {
            return self.decode(&mut [], hear);
        }
        let capacity = scratch.len();
        let mut buffer = ReadBuf::new(scratch);
        let waker = self.waker.clone();
        let mut context = Context::from_waker(&waker);
        match Pin::new(&mut self.stream).poll_read(&mut context, &mut buffer) {
            Poll::Pending => return Reading::Waiting,
            Poll::Ready(Err(_)) => return Reading::Gone,
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => return Reading::Gone,
            Poll::Ready(Ok(())) => {}
        }
        self.heard = now;
        self.pinged = false;
        let length = buffer.filled().len();
        match self.decode(buffer.filled_mut(), hear) {
            broken @ Reading::Broken(_) => return broken,
            _ if length == capacity || self.decoder.is_paused() => return Reading::More,
            _ => {}
        }
        // A short read emptied the socket, so this makes no system call: it registers the waker.
        match self.stream.poll_read_ready(&mut context) {
            Poll::Pending => Reading::Waiting,
            Poll::Ready(_) => Reading::More,
        }
    }

    /// Takes bytes that have been read from the socket, as [`Connection::read`] does. The socket
    /// itself is to be looked at next.
    pub(crate) fn decode(
        &mut self,
        bytes: &mut [u8],
        hear: impl FnMut(Incoming<'_>) -> Appetite,
    ) -> Reading {
        match self.decoder.decode(bytes, hear) {
            Ok(()) => Reading::More,
            Err(error) => Reading::Broken(error),
        }
    }

    /// How many bytes wait for this client to read.
    pub(crate) fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }

    /// Writes the ranges of `batch` that are for this client, or queues them behind what waits.
    pub(crate) fn write_batch(&mut self, batch: &Bytes) -> io::Result<()> {
        if self.queue.is_empty() {
            self.write_directly(batch)?;
        }
        for range in self.batch.drain(..) {
            self.queued_bytes += range.len();
            self.queue.push_back(batch.slice(range));
        }
        Ok(())
    }

    /// Writes as much as the socket takes, straight from the batch; what is left stays in
    /// `self.batch`.
    fn write_directly(&mut self, batch: &[u8]) -> io::Result<()> {
        while !self.batch.is_empty() {
            let mut pieces = [IoSlice::new(&[]); PIECES_PER_WRITE];
            let mut count = 0;
            for (piece, range) in pieces.iter_mut().zip(&self.batch) {
                *piece = IoSlice::new(batch.get(range.clone()).unwrap_or_default());
                count += 1;
            }
            let mut context = Context::from_waker(&self.waker);
            let stream = Pin::new(&mut self.stream);
            let pieces = pieces.get(..count).unwrap_or_default();
            match stream.poll_write_vectored(&mut context, pieces) {
                Poll::Pending => return Ok(()),
                Poll::Ready(written) => advance(&mut self.batch, written?),
            }
        }
        Ok(())
    }

    /// Queues a frame for this client alone.
    pub(crate) fn queue(&mut self, frame: Vec<u8>) {
        self.queued_bytes += frame.len();
        self.queue.push_back(Bytes::from(frame));
    }

    /// Writes what waits, as far as the socket takes it.
    pub(crate) fn write_queue(&mut self) -> io::Result<()> {
        let mut context = Context::from_waker(&self.waker);
        match poll_write_queue(&mut self.stream, &mut self.queue, &mut context) {
            Poll::Ready(outcome) => outcome?,
            Poll::Pending => {}
        }
        self.queued_bytes = self.queue.iter().map(Bytes::len).sum();
        if self.queue.is_empty() {
            self.queue.shrink_to(4);
        }
        Ok(())
    }

    /// What is needed to take leave of this client.
    pub(crate) fn into_parts(self) -> (TcpStream, VecDeque<Bytes>, Seat) {
        (self.stream, self.queue, self.seat)
    }
}

/// Removes the first `written` bytes from the ranges.
fn advance(ranges: &mut Vec<Range<usize>>, mut written: usize) {
    let whole = ranges.iter().take_while(|range| {
        let fits = range.len() <= written;
        if fits {
            written -= range.len();
        }
        fits
    });
    let whole = whole.count();
    ranges.drain(..whole);
    if let Some(first) = ranges.first_mut() {
        first.start += written;
    }
}

/// Writes a queue until it is empty or the socket is full.
pub(crate) fn poll_write_queue(
    stream: &mut TcpStream,
    queue: &mut VecDeque<Bytes>,
    context: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    while !queue.is_empty() {
        let mut pieces = [IoSlice::new(&[]); PIECES_PER_WRITE];
        let mut count = 0;
        for (piece, bytes) in pieces.iter_mut().zip(queue.iter()) {
            *piece = IoSlice::new(bytes);
            count += 1;
        }
        let pieces = pieces.get(..count).unwrap_or_default();
        let mut written =
            std::task::ready!(Pin::new(&mut *stream).poll_write_vectored(context, pieces))?;
        while let Some(first) = queue.front_mut() {
            if written < first.len() {
                first.advance(written);
                break;
            }
            written -= first.len();
            queue.pop_front();
        }
    }
    Poll::Ready(Ok(()))
}
