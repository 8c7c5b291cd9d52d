//! Reads bytes from the front: numbers in little-endian, and lists of known length. Each answer is
//! `None` when the bytes end too early.

/// What is still to be read.
pub(crate) struct Encoded<'a>(&'a [u8]);

impl<'a> Encoded<'a> {
    pub(crate) fn new(encoded: &'a [u8]) -> Encoded<'a> {
        Encoded(encoded)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn list<const LENGTH: usize>(&mut self, count: usize) -> Option<&'a [[u8; LENGTH]]> {
        let (list, rest) = self.0.split_at_checked(count.checked_mul(LENGTH)?)?;
        self.0 = rest;
        Some(list.as_chunks::<LENGTH>().0)
    }

    pub(crate) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn bytes<const LENGTH: usize>(&mut self) -> Option<[u8; LENGTH]> {
        self.take(LENGTH)?.first_chunk().copied()
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.bytes().map(u64::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.bytes().map(u32::from_le_bytes)
    }
}
