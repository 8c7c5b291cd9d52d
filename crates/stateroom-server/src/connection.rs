//! One client's socket: reads its messages, writes what is for it.

use crate::{
    batch::Piece,
    counters,
    frame::{Buffer, Frame},
    queue::{PIECES_PER_WRITE, Queue, QueueLimits, wait},
    ring::Write,
    unfinished::{Held, Unfinished},
    websocket::{Appetite, Decoder, Incoming, ProtocolError},
};
use mio::net::TcpStream;
use smallvec::SmallVec;
use stateroom::ClientId;
use stateroom_room::session::SocketId;
use std::{
    collections::VecDeque,
    io::{self, ErrorKind, IoSlice, Read as _, Write as _},
    net::IpAddr,
    num::NonZeroU64,
    sync::Arc,
    time::{Duration, Instant},
};

/// An open WebSocket in a room. Small: there may be a hundred thousand that say nothing.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    /// Which of its shard's sockets this is.
    pub(crate) socket: u32,
    /// Where the client comes from, if that is not where the connection comes from.
    forwarded_for: Option<Box<IpAddr>>,
    /// Which client this is; `None` once the room has closed it.
    pub(crate) client: Option<ClientId>,
    /// The number of its socket among those of sessions, if its client has one.
    session: Option<NonZeroU64>,
    decoder: Decoder,
    /// What of a message that has not come whole is held.
    held: Option<Box<Held>>,
    /// Whether to read until there is nothing more: the system tells only of what is new, and a
    /// short read may stand between the last bytes and the end.
    drain: bool,
    /// Whether something that was sent to the client was left out, so that nothing may follow it.
    is_over: bool,
    /// The last turn of its room after which it was to be looked at again.
    listed_in: u64,
    /// What of the room's current batch is for this client.
    pub(crate) batch: SmallVec<[Piece; 2]>,
    /// Frames that the socket would not take yet.
    queue: Option<Box<Queue>>,
}

/// How much clients may send.
#[derive(Debug)]
pub(crate) struct ReadLimits {
    /// The largest message, in bytes.
    pub(crate) message_bytes: usize,
    /// What all of them together have the server hold.
    pub(crate) unfinished: Arc<Unfinished>,
}

/// What a flush found out about a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It cannot be written to any more.
    Gone,
    /// More waits for it than may.
    TooSlow,
    /// The same, and it has had the beginning of a frame whose end does not wait for it.
    CutOff,
}

/// How a look at a socket ended.
#[derive(Debug)]
pub(crate) enum Reading {
    /// There is no more for now; the system tells when there is.
    Waiting,
    /// There may be more, but others have a turn first.
    More,
    /// The client is gone, and there is nobody to close.
    Gone,
    /// The client broke the protocol.
    Broken(ProtocolError),
}

/// Where a client comes from: as a proxy has told, or else where its connection comes from.
pub(crate) fn address_of(stream: &TcpStream, forwarded_for: Option<IpAddr>) -> Option<IpAddr> {
    forwarded_for.or_else(|| stream.peer_addr().ok().map(|address| address.ip()))
}

impl Connection {
    pub(crate) fn new(stream: TcpStream, socket: u32, client: ClientId) -> Self {
        Connection {
            stream,
            socket,
            forwarded_for: None,
            client: Some(client),
            session: None,
            decoder: Decoder::default(),
            held: None,
            drain: false,
            is_over: false,
            listed_in: 0,
            batch: SmallVec::new(),
            queue: None,
        }
    }

    /// Notes that its client has a session, in which this socket has a number, from 1.
    pub(crate) fn has_session(&mut self, socket: SocketId) {
        self.session = NonZeroU64::new(socket.0);
    }

    /// The number of its socket among those of sessions, if its client has one.
    pub(crate) fn session(&self) -> Option<SocketId> {
        self.session.map(|number| SocketId(number.get()))
    }

    /// Notes where the client comes from, if that is not where the connection comes from.
    pub(crate) fn is_for(&mut self, address: Option<IpAddr>) {
        self.forwarded_for = address.map(Box::new);
    }

    /// Where the client comes from.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        address_of(&self.stream, self.forwarded_for.as_deref().copied())
    }

    /// Has the next looks read until there is nothing more.
    pub(crate) fn drain(&mut self) {
        self.drain = true;
    }

    /// Notes that it is to be looked at again after the room's turn of this number, from 1. `false` if that
    /// is noted already: the list must not grow with each packet that comes while the room hears nothing.
    pub(crate) fn list(&mut self, turn: u64) -> bool {
        std::mem::replace(&mut self.listed_in, turn) != turn
    }

    /// Reads what is there, up to the size of `scratch`, and tells `hear` of each message in it.
    pub(crate) fn read(
        &mut self,
        scratch: &mut [u8],
        limits: &ReadLimits,
        hear: impl FnMut(Incoming<'_>) -> Appetite,
    ) -> Reading {
        if self.decoder.is_paused() {
            return self.decode(&mut [], limits, hear);
        }
        let length = match self.stream.read(scratch) {
            Ok(0) => return Reading::Gone,
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.drain = false;
                return Reading::Waiting;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => return Reading::More,
            Err(_) => return Reading::Gone,
        };
        counters::add(|counters| counters.bytes_in += length as u64);
        let filled = scratch.get_mut(..length).unwrap_or_default();
        match self.decode(filled, limits, hear) {
            broken @ Reading::Broken(_) => broken,
            _ if self.drain || length == scratch.len() || self.decoder.is_paused() => Reading::More,
            // A short read has emptied the socket.
            _ => Reading::Waiting,
        }
    }

    /// Takes bytes that have been read from the socket, as [`Connection::read`] does. The socket
    /// itself is to be looked at next.
    pub(crate) fn decode(
        &mut self,
        bytes: &mut [u8],
        limits: &ReadLimits,
        hear: impl FnMut(Incoming<'_>) -> Appetite,
    ) -> Reading {
        let mut decoded = self.decoder.decode(bytes, limits.message_bytes, hear);
        let holds = self.decoder.unfinished_bytes();
        if decoded.is_ok()
            && (holds > 0 || self.held.is_some())
            && !limits.unfinished.hold(&mut self.held, holds)
        {
            decoded = Err(ProtocolError::TooMuchUnfinished);
        }
        let Err(error) = decoded else { return Reading::More };
        // It may stay for the answers to what it said before.
        self.decoder = Decoder::closed();
        self.held = None;
        Reading::Broken(error)
    }

    /// How many bytes wait for this client to read.
    #[cfg(test)]
    pub(crate) fn queued_bytes(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.bytes())
    }

    /// Whether more waits for this client than may.
    pub(crate) fn has_too_much_queued(&self, limits: &QueueLimits) -> bool {
        self.queue.as_ref().is_some_and(|queue| {
            queue.is_too_long(limits.bytes) || queue.takes_more_than(limits.all.share(0), 0)
        })
    }

    /// Whether this client has for too long left less than may wait for the others.
    pub(crate) fn holds_up_others(&self, limits: &QueueLimits, now: Instant) -> bool {
        self.queue.as_ref().is_some_and(|queue| {
            queue.began() + limits.stall <= now && queue.takes_more_than(limits.all.share(0), 0)
        })
    }

    /// When this client will have read nothing for `time`, if something waits for it.
    pub(crate) fn stalls_at(&self, time: Duration) -> Option<Instant> {
        Some(self.queue.as_ref()?.progressed() + time)
    }

    /// The write that [`Connection::write_batch`] begins with, to be made by somebody else.
    pub(crate) fn first_write<'a>(&'a self, batch: &'a [u8]) -> Option<Write<'a>> {
        if self.is_over || self.queue.is_some() || self.batch.is_empty() {
            return None;
        }
        let pieces = self.batch.iter().take(PIECES_PER_WRITE);
        let slice = |piece: &Piece| IoSlice::new(batch.get(piece.range()).unwrap_or_default());
        Some(Write::new(&self.stream, pieces.map(slice).collect()))
    }

    /// Writes the pieces of `batch` that are for this client, one of so many; what the socket does not
    /// take is queued, if as much may wait for it: as ranges of `shared`, a copy of the batch that is made
    /// for the first who needs it. Where its [`Connection::first_write`] has been made, this goes on from
    /// what that came to.
    pub(crate) fn write_batch(
        &mut self,
        batch: &[u8],
        receivers: usize,
        shared: &mut Option<Arc<Buffer>>,
        first: Option<io::Result<usize>>,
        limits: &QueueLimits,
    ) -> Result<(), Trouble> {
        if self.is_over {
            self.batch.clear();
            return Ok(());
        }
        if self.has_too_much_queued(limits) {
            self.leave_out();
            return Err(Trouble::TooSlow);
        }
        let mut written = 0;
        if self.queue.is_none() {
            written = self.write_directly(batch, first).map_err(|_| Trouble::Gone)?;
        }
        if self.batch.is_empty() {
            return Ok(());
        }
        if wait(&mut self.queue, &mut self.batch, batch, receivers, shared, &limits.all) {
            Ok(())
        } else {
            self.leave_out();
            Err(if written > 0 { Trouble::CutOff } else { Trouble::TooSlow })
        }
    }

    /// Leaves out what of the batch is for this client, and all that will be sent to it.
    pub(crate) fn leave_out(&mut self) {
        self.batch.clear();
        self.is_over = true;
    }

    /// Writes as much as the socket takes, straight from the batch, and tells how much that was; what is
    /// left stays in `self.batch`. The first write may have been made.
    fn write_directly(
        &mut self,
        batch: &[u8],
        mut made: Option<io::Result<usize>>,
    ) -> io::Result<usize> {
        let mut all = 0;
        while let Some(first) = self.batch.first() {
            let written = if let Some(made) = made.take() {
                made
            } else if self.batch.len() == 1 {
                self.stream.write(batch.get(first.range()).unwrap_or_default())
            } else {
                let mut slices = [IoSlice::new(&[]); PIECES_PER_WRITE];
                let mut count = 0;
                for (slice, piece) in slices.iter_mut().zip(&self.batch) {
                    *slice = IoSlice::new(batch.get(piece.range()).unwrap_or_default());
                    count += 1;
                }
                self.stream.write_vectored(slices.get(..count).unwrap_or_default())
            };
            match written {
                Ok(written) => {
                    all += written;
                    self.advance(written);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    /// Removes the first `written` bytes from the pieces.
    fn advance(&mut self, mut written: usize) {
        let mut whole = 0;
        for piece in &mut self.batch {
            let length = piece.range().len();
            if written < length {
                piece.start += written as u32; // Less than the piece's own length.
                break;
            }
            written -= length;
            whole += 1;
        }
        self.batch.drain(..whole);
    }

    /// Queues a frame for this client alone.
    pub(crate) fn queue(&mut self, frame: &[u8], limits: &QueueLimits) {
        if self.is_over {
            return;
        }
        let buffer = Buffer::new(std::iter::once(frame), &limits.all);
        let frame = buffer.frame(0..frame.len());
        self.queue.get_or_insert_with(|| Queue::new(&limits.all)).push(frame);
    }

    /// Writes what waits, as far as the socket takes it.
    pub(crate) fn write_queue(&mut self) -> io::Result<()> {
        let Some(queue) = &mut self.queue else { return Ok(()) };
        queue.write(&mut self.stream)?;
        if queue.is_empty() {
            self.queue = None;
        }
        Ok(())
    }

    /// Its stream, and the frames that still wait for the client.
    pub(crate) fn into_parts(self) -> (TcpStream, VecDeque<Frame>) {
        let frames = |mut queue: Box<Queue>| queue.take_frames();
        (self.stream, self.queue.map(frames).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpListener};

    #[test]
    fn of_who_broke_the_protocol_nothing_is_held_and_nothing_more_is_read() {
        let begun = [&[0x02, 0xFE, 0x03, 0xE8, 0, 0, 0, 0][..], &[b'x'; 900]].concat();
        let unknown = [0x83, 0x80, 0, 0, 0, 0];
        let message = [0x82, 0x81, 0, 0, 0, 0, b'x'];
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        for (most, bytes) in [
            (500, begun.clone()),
            (10_000, [&begun[..], &[b'x'; 100], &unknown].concat()),
            (10_000, unknown.to_vec()),
        ] {
            let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let mut connection = Connection::new(stream, 0, ClientId(1));
            let unfinished = Arc::new(Unfinished::new(most));
            let limits = ReadLimits { message_bytes: 10_000, unfinished: unfinished.clone() };
            let mut heard = 0;
            let mut read = |mut bytes: Vec<u8>| {
                connection.decode(&mut bytes, &limits, |_| {
                    heard += 1;
                    Appetite::Continue(())
                })
            };
            assert!(matches!(read(bytes), Reading::Broken(_)));
            assert!(matches!(read(message.to_vec()), Reading::More));
            assert_eq!((heard, connection.decoder.unfinished_bytes()), (0, 0));
            assert_eq!(unfinished.bytes(), 0);
        }
    }
}
