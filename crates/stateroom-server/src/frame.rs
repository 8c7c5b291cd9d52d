//! Frames that wait to be written: ranges of buffers that they share, each of which is counted once.

use crate::queued::Queued;
use memmap2::MmapMut;
use std::{ops::Range, sync::Arc};

/// What a buffer takes beside its bytes, about.
const BUFFER_BYTES: usize = 64;

/// From this size on a buffer is mapped by itself, so that its memory goes back to the system with it. An
/// allocator that has had large blocks of short life keeps the ranges of later ones.
const MAPPED_BYTES: usize = 64 * 1024;

/// What a frame takes in a queue that has room for twice as many.
const FRAME_BYTES: usize = 2 * size_of::<Frame>();

/// Bytes of frames, for as many clients as they wait for.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Memory,
    /// Where they are counted.
    of: Option<Arc<Queued>>,
}

#[derive(Debug)]
enum Memory {
    Allocated(Box<[u8]>),
    Mapped(MmapMut),
}

impl Memory {
    /// So many zeroes.
    fn new(length: usize) -> Self {
        if length >= MAPPED_BYTES
            && let Ok(mapped) = MmapMut::map_anon(length)
        {
            return Memory::Mapped(mapped);
        }
        Memory::Allocated(vec![0; length].into())
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Memory::Allocated(bytes) => bytes,
            Memory::Mapped(bytes) => bytes,
        }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Memory::Allocated(bytes) => bytes,
            Memory::Mapped(bytes) => bytes,
        }
    }
}

/// A range of a buffer.
#[derive(Debug)]
pub(crate) struct Frame {
    buffer: Arc<Buffer>,
    start: usize,
    end: usize,
}

impl Buffer {
    /// A copy of these parts, one after the other.
    pub(crate) fn new<'a>(
        parts: impl Iterator<Item = &'a [u8]> + Clone,
        of: &Arc<Queued>,
    ) -> Arc<Self> {
        let mut bytes = Memory::new(parts.clone().map(<[u8]>::len).sum());
        let mut rest = bytes.bytes_mut();
        for part in parts {
            let Some((place, after)) = rest.split_at_mut_checked(part.len()) else { break };
            place.copy_from_slice(part);
            rest = after;
        }
        let buffer = Buffer { bytes, of: Some(of.clone()) };
        of.add(buffer.memory());
        Arc::new(buffer)
    }

    /// The frame in this range of it.
    pub(crate) fn frame(self: &Arc<Self>, range: Range<usize>) -> Frame {
        if let Some(of) = &self.of {
            of.add(FRAME_BYTES);
        }
        Frame { buffer: self.clone(), start: range.start, end: range.end }
    }

    fn memory(&self) -> usize {
        self.bytes.bytes().len() + BUFFER_BYTES
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(of) = &self.of {
            of.remove(self.memory());
        }
    }
}

impl Frame {
    /// A small frame for one client, which is not counted.
    pub(crate) fn uncounted(bytes: impl Into<Box<[u8]>>) -> Self {
        let bytes = bytes.into();
        let end = bytes.len();
        Frame {
            buffer: Arc::new(Buffer { bytes: Memory::Allocated(bytes), of: None }),
            start: 0,
            end,
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.buffer.bytes.bytes().get(self.start..self.end).unwrap_or_default()
    }

    pub(crate) fn len(&self) -> usize {
        self.end - self.start
    }

    /// Leaves out its first `written` bytes, of which there are more.
    pub(crate) fn advance(&mut self, written: usize) {
        self.start = self.end.min(self.start + written);
    }

    /// Its part of the memory that it shares with others.
    pub(crate) fn memory(&self) -> usize {
        FRAME_BYTES + self.buffer.memory() / Arc::strong_count(&self.buffer)
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        if let Some(of) = &self.buffer.of {
            of.remove(FRAME_BYTES);
        }
    }
}
