//! What waits for a client to read: frames that its socket would not take yet.

use crate::{
    batch::Piece,
    counters,
    frame::{Buffer, Frame},
    queued::Queued,
};
use mio::net::TcpStream;
use smallvec::SmallVec;
use std::{
    collections::VecDeque,
    io::{self, ErrorKind, IoSlice, Write as _},
    sync::Arc,
    time::{Duration, Instant},
};

/// How many pieces one system call writes at most; Linux takes 1,024.
pub(crate) const PIECES_PER_WRITE: usize = 64;

/// How much may wait for a client, and for how long.
#[derive(Debug)]
pub(crate) struct QueueLimits {
    /// In bytes, beside one message that is larger than this by itself.
    pub(crate) bytes: usize,
    /// How long it may read nothing.
    pub(crate) stall: Duration,
    /// What waits for all clients together, and how much may.
    pub(crate) all: Arc<Queued>,
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Queue {
    frames: VecDeque<Frame>,
    bytes: usize,
    /// The most bytes that one of the frames has, or had.
    largest: usize,
    /// When the first of it came.
    began: Instant,
    /// When something of it was last written, or the first of it came.
    progressed: Instant,
    /// Where it is counted.
    of: Arc<Queued>,
}

impl Queue {
    pub(crate) fn new(of: &Arc<Queued>) -> Box<Self> {
        let now = Instant::now();
        of.add_client();
        Box::new(Queue {
            frames: VecDeque::new(),
            bytes: 0,
            largest: 0,
            began: now,
            progressed: now,
            of: of.clone(),
        })
    }

    pub(crate) fn push(&mut self, frame: Frame) {
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

    /// Whether it takes more memory than `share` when so much is added, which a look at its first frames tells
    /// where that is little.
    pub(crate) fn takes_more_than(&self, share: usize, added: usize) -> bool {
        if share == usize::MAX {
            return false;
        }
        let mut frames = self.frames.iter();
        let sum = frames.try_fold(added, |sum, frame| {
            (sum <= share).then(|| sum.saturating_add(frame.memory()))
        });
        sum.is_none_or(|sum| sum > share)
    }

    /// When the first of it came, since it was last empty.
    pub(crate) fn began(&self) -> Instant {
        self.began
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
    pub(crate) fn take_frames(&mut self) -> VecDeque<Frame> {
        std::mem::take(&mut self.frames)
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.of.remove_client();
        counters::add(|counters| {
            counters.queued_bytes = counters.queued_bytes.wrapping_sub(self.bytes as u64);
        });
    }
}

/// Queues `pieces` of a batch for one of so many receivers, unless more memory than its share would be taken;
/// tells whether it did. Either way none are left. They are ranges of `shared`, a copy of the batch that is made
/// for the first who needs it.
pub(crate) fn wait(
    queue: &mut Option<Box<Queue>>,
    pieces: &mut SmallVec<[Piece; 2]>,
    batch: &[u8],
    receivers: usize,
    shared: &mut Option<Arc<Buffer>>,
    of: &Arc<Queued>,
) -> bool {
    let pieces = std::mem::take(pieces);
    let rest = pieces.iter().map(|piece| piece.range().len()).sum::<usize>();
    // Copies of what is so small take no more for all than the batch does, which they let go.
    let is_copied = rest.saturating_mul(receivers) <= batch.len();
    // What is new for all, and how much of it would be this one's.
    let (new, own) = match (is_copied, &shared) {
        (true, _) => (rest, rest),
        (false, None) => (batch.len(), batch.len() / receivers.max(1)),
        (false, Some(_)) => (0, batch.len() / receivers.max(1)),
    };
    let share = of.share(new);
    let waits = queue.as_ref();
    if waits.map_or(own > share, |queue| queue.takes_more_than(share, own)) {
        return false;
    }
    let queue = queue.get_or_insert_with(|| Queue::new(of));
    if is_copied {
        let ranges = pieces.iter().map(|piece| piece.range());
        let parts = ranges.clone().map(|range| batch.get(range).unwrap_or_default());
        let copy = Buffer::new(parts, of);
        let mut end = 0;
        for range in ranges {
            let start = end;
            end += range.len();
            queue.push(copy.frame(start..end));
        }
    } else {
        let shared = shared.get_or_insert_with(|| Buffer::new(std::iter::once(batch), of));
        pieces.iter().for_each(|piece| queue.push(shared.frame(piece.range())));
    }
    true
}

/// Writes frames until there are none left, or the socket is full, and tells how many bytes that were.
pub(crate) fn write_frames(
    stream: &mut TcpStream,
    frames: &mut VecDeque<Frame>,
) -> io::Result<usize> {
    let mut all = 0;
    while !frames.is_empty() {
        let mut slices = [IoSlice::new(&[]); PIECES_PER_WRITE];
        let mut count = 0;
        for (slice, frame) in slices.iter_mut().zip(frames.iter()) {
            *slice = IoSlice::new(frame.bytes());
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
