//! Makes a snapshot small: its pages, combined with those of the image by exclusive or, are mostly
//! zeroes, which zstd makes next to nothing of.

use crate::{
    encoded::Encoded,
    image::{Image, PAGE, Page},
    lent::Lent,
    snapshot::{Snapshot, State},
};
use std::{cell::RefCell, io, sync::Arc};
use zstd::bulk::{Compressor, Decompressor};

/// Of zstd's levels: the fastest that still compresses well.
const LEVEL: i32 = 1;

/// A snapshot in about one twentieth of its size: a kilobyte for a small room. Whole and small
/// enough to be kept, and of use only to rooms of the module it was taken of.
#[derive(Debug, Clone)]
pub struct SleepingState {
    image: Image,
    compressed: Arc<[u8]>,
    /// How long the compressed bytes were before.
    length: usize,
}

/// The bytes of a sleeping state are not those that were compressed.
#[derive(Debug, thiserror::Error)]
#[error("the state of a sleeping room is damaged: {0}")]
pub struct DamagedState(#[from] io::Error);

impl Snapshot {
    /// Compresses it, on whatever thread: about 20 µs for a small room.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn compress(&self) -> io::Result<SleepingState> {
        thread_local! {
            /// Made once for each thread, since it is larger than most of what it compresses.
            static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
        }
        let encoded = self.encode();
        let compressed = COMPRESSOR.with_borrow_mut(|compressor| match compressor {
            Some(compressor) => compressor.compress(&encoded),
            None => compressor.insert(Compressor::new(LEVEL)?).compress(&encoded),
        })?;
        Ok(SleepingState::of_parts(self.image.clone(), &compressed, encoded.len()))
    }

    /// All of it but the image, as bytes: equal for equal snapshots.
    pub(crate) fn encode(&self) -> Vec<u8> {
        self.state.encode(&self.image)
    }

    /// How long the encoding of any snapshot is at most, with that many globals and pages of memory.
    pub(crate) fn most_bytes(globals: usize, memory_pages: u64) -> usize {
        let pages = usize::try_from(memory_pages * Snapshot::PAGES_IN_ONE).unwrap_or(usize::MAX);
        pages.saturating_mul(4 + PAGE).saturating_add(16 * globals + 32)
    }
}

impl SleepingState {
    /// What may be one; [`SleepingState::decompress`] finds out.
    pub(crate) fn of_parts(image: Image, compressed: &[u8], length: usize) -> SleepingState {
        SleepingState { image, compressed: compressed.into(), length }
    }

    /// All of it but the image: the compressed bytes, and how long they were before.
    pub(crate) fn parts(&self) -> (&[u8], usize) {
        (&self.compressed, self.length)
    }

    /// Gives the snapshot back, bit by bit: about 10 µs for a small room.
    ///
    /// # Errors
    /// When it is damaged, or there is no memory for it.
    pub fn decompress(&self) -> Result<Snapshot, DamagedState> {
        thread_local! {
            static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> =
                const { RefCell::new(None) };
        }
        let encoded = DECOMPRESSOR.with_borrow_mut(|decompressor| match decompressor {
            Some(decompressor) => decompressor.decompress(&self.compressed, self.length),
            None => {
                decompressor.insert(Decompressor::new()?).decompress(&self.compressed, self.length)
            }
        })?;
        let state = State::decode(&encoded, &self.image)
            .ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        Ok(Snapshot { image: self.image.clone(), state })
    }

    /// How many bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.compressed.len() + size_of_val(self)
    }
}

// The encoding: numbers in little-endian; first how many globals and pages there are, then the size
// of the memory, what is lent, the globals, the numbers of the pages, the pages.
impl State {
    fn encode(&self, image: &Image) -> Vec<u8> {
        let mut encoded = Vec::with_capacity(
            32 + 16 * self.globals.len() + (4 + PAGE) * self.pages.len().min(self.numbers.len()),
        );
        encoded.extend_from_slice(&(self.globals.len() as u64).to_le_bytes());
        encoded.extend_from_slice(&(self.numbers.len() as u64).to_le_bytes());
        encoded.extend_from_slice(&self.memory_pages.to_le_bytes());
        encoded.extend_from_slice(&self.lent.pointer.to_le_bytes());
        encoded.extend_from_slice(&self.lent.capacity.to_le_bytes());
        for global in &self.globals {
            encoded.extend_from_slice(&global.to_le_bytes());
        }
        for number in &self.numbers {
            encoded.extend_from_slice(&number.to_le_bytes());
        }
        for (number, page) in self.numbers.iter().zip(&self.pages) {
            let mut page = *page;
            combine(&mut page, image.page(*number as usize));
            encoded.extend_from_slice(&page);
        }
        encoded
    }

    /// `None` when `encoded` ends too early or too late.
    fn decode(encoded: &[u8], image: &Image) -> Option<State> {
        let mut rest = Encoded::new(encoded);
        let globals = usize::try_from(rest.u64()?).ok()?;
        let count = usize::try_from(rest.u64()?).ok()?;
        let memory_pages = rest.u64()?;
        let lent = Lent { pointer: rest.u32()?, capacity: rest.u32()? };
        let globals = rest.list::<16>(globals)?.iter().map(|bits| u128::from_le_bytes(*bits));
        let numbers = rest.list::<4>(count)?.iter().map(|bytes| u32::from_le_bytes(*bytes));
        let (globals, numbers): (Vec<u128>, Vec<u32>) = (globals.collect(), numbers.collect());
        let mut pages = rest.list::<PAGE>(count)?.to_vec();
        for (number, page) in numbers.iter().zip(&mut pages) {
            combine(page, image.page(*number as usize));
        }
        rest.is_empty().then_some(State { memory_pages, globals, lent, numbers, pages })
    }
}

/// Exclusive or, which undoes itself.
fn combine(page: &mut Page, image: &Page) {
    for (byte, other) in page.iter_mut().zip(image) {
        *byte ^= other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot() -> Snapshot {
        let mut memory = vec![0; 4 * PAGE];
        memory[PAGE] = 7;
        let state = State {
            memory_pages: 3,
            globals: vec![1, u128::MAX],
            lent: Lent { pointer: 5, capacity: 6 },
            numbers: vec![1, 9],
            pages: vec![[3; PAGE], [4; PAGE]],
        };
        Snapshot { image: Image::of(&memory), state }
    }

    #[test]
    fn a_snapshot_comes_back_as_it_was() {
        let snapshot = snapshot();
        let sleeping = snapshot.compress().unwrap();
        assert!(sleeping.bytes() < 300, "{}", sleeping.bytes());
        assert_eq!(sleeping.decompress().unwrap(), snapshot);
    }

    #[test]
    fn what_is_cut_anywhere_is_refused() {
        let snapshot = snapshot();
        let encoded = snapshot.state.encode(&snapshot.image);
        assert_eq!(State::decode(&encoded, &snapshot.image), Some(snapshot.state));
        for length in (0..encoded.len()).step_by(7) {
            assert_eq!(State::decode(&encoded[..length], &snapshot.image), None, "{length}");
        }
        let mut sleeping = self::snapshot().compress().unwrap();
        sleeping.compressed = sleeping.compressed[..20].into();
        assert!(sleeping.decompress().is_err());
    }
}
