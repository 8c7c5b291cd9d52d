//! The frames that a room has sent and that are not written yet, each of them once, and whom they are for.

use crate::{
    frame::Buffer,
    websocket::{MAX_HEADER_BYTES, encode_data},
};
use smallvec::SmallVec;
use stateroom_room::MessageKind;
use std::{cell::Cell, ops::Range, sync::Arc};

/// Past this, in bytes, a batch that has been written gives its buffer back.
const KEPT_CAPACITY: usize = 1024 * 1024;

/// A batch has at most so many bytes, which a [`Piece`] can tell of.
const MOST_BYTES: usize = if cfg!(test) { 64 << 20 } else { u32::MAX as usize };

/// In the place of a receiver who is gone.
const NOBODY: u32 = u32::MAX;

thread_local! {
    /// The batch of the room that flushed last on this thread, for the next one that sends.
    static SPARE: Cell<Option<Box<Batch>>> = const { Cell::new(None) };
}

/// Frames to write, and to whom.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Encoded frames, in the order sent.
    pub(crate) bytes: Vec<u8>,
    /// The connections that some of it is for.
    pub(crate) receivers: Vec<u32>,
    /// How many of those have been written to.
    pub(crate) written: usize,
    /// The bytes once more, for those whose sockets are full.
    pub(crate) shared: Option<Arc<Buffer>>,
    /// Whether something did not fit, so that its receivers can't go on.
    pub(crate) is_overfull: bool,
}

/// A range of a batch, in 8 bytes rather than 16.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Piece {
    pub(crate) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

impl Batch {
    /// An empty batch, whose buffers may have served before.
    pub(crate) fn take_spare() -> Box<Self> {
        SPARE.take().unwrap_or_default()
    }

    /// Lends its buffers to the next room that sends.
    pub(crate) fn become_spare(mut self: Box<Self>) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_CAPACITY);
        self.receivers.clear();
        self.written = 0;
        self.shared = None;
        self.is_overfull = false;
        SPARE.set(Some(self));
    }

    /// Adds a message, which is to be received by somebody. A batch is flushed at some MiB, and one event sends no
    /// 4 GiB: should it be more all the same, the message is left out.
    pub(crate) fn encode(&mut self, kind: MessageKind, message: &[u8]) -> Piece {
        let start = self.bytes.len();
        if message.len().saturating_add(start + MAX_HEADER_BYTES) > MOST_BYTES {
            self.is_overfull = true;
        } else {
            encode_data(kind, message, &mut self.bytes);
        }
        // Both are at most `MOST_BYTES`.
        Piece { start: start as u32, end: self.bytes.len() as u32 }
    }

    /// Has the connection of this key, whose pieces these are, receive a piece that was just added.
    pub(crate) fn add(&mut self, piece: Piece, key: u32, pieces: &mut SmallVec<[Piece; 2]>) {
        match pieces.last_mut() {
            Some(last) if last.end == piece.start => last.end = piece.end,
            Some(_) => pieces.push(piece),
            None => {
                pieces.push(piece);
                self.receivers.push(key);
            }
        }
    }

    /// Has a connection that is gone receive nothing: its key may be another's before all is written, who must
    /// not be in it twice.
    pub(crate) fn forget(&mut self, key: u32) {
        let receivers = self.receivers.iter_mut();
        receivers.filter(|receiver| **receiver == key).for_each(|receiver| *receiver = NOBODY);
    }
}
