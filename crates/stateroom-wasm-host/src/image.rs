//! The memory every room of a module starts with: kept once, so that a room which sleeps keeps only
//! what differs from it.

use std::{fmt, sync::Arc};

/// The unit in which memory is compared and kept: the pages of most processors, though the host's
/// own may be larger.
pub(crate) const PAGE: usize = 4 << 10;

/// One page of memory.
pub(crate) type Page = [u8; PAGE];

const ZEROES: Page = [0; PAGE];

/// The linear memory of a module right after it is instantiated, when nothing has run. Cloning it
/// gives another handle to the same bytes.
#[derive(Clone)]
pub(crate) struct Image(Arc<[Page]>);

impl Image {
    /// Keeps `memory`, but for the zeroes at its end.
    pub(crate) fn of(memory: &[u8]) -> Image {
        let (pages, _) = memory.as_chunks::<PAGE>();
        let used = pages.iter().rposition(|page| *page != ZEROES).map_or(0, |last| last + 1);
        Image(pages.iter().take(used).copied().collect())
    }

    /// The page of the given number; past the end there are zeroes, as in a memory that grows.
    pub(crate) fn page(&self, number: usize) -> &Page {
        self.0.get(number).unwrap_or(&ZEROES)
    }
}

impl PartialEq for Image {
    fn eq(&self, other: &Image) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Image({} pages)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_keeps_what_is_not_zero_and_answers_for_the_rest() {
        let mut memory = vec![0; 16 * PAGE];
        memory[PAGE + 5] = 7;
        let image = Image::of(&memory);
        assert_eq!(image.0.len(), 2);
        assert_eq!(image.page(0), &ZEROES);
        assert_eq!(image.page(1)[5], 7);
        assert_eq!(image.page(usize::MAX), &ZEROES);
    }
}
