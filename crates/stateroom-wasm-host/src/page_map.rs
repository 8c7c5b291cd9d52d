//! Which pages of a guest's memory may have been written to, as the kernel tells: a hint that saves
//! comparing all of it.
//!
//! A memory starts as a private mapping of the module's image, or of zeroes. A page that was written
//! to is a copy of the process's own: anonymous, and present or swapped out. Others still are what
//! the mapping says, and need no look.

use std::{
    ops::Range,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

/// The kernel's table of this process's pages, where there is one that can be read.
pub(crate) struct PageMap {
    table: Option<linux::Table>,
    /// Set when the table was found to be wrong, which no kernel is known to be.
    distrusted: AtomicBool,
}

impl PageMap {
    /// A table that knows nothing, so that everything is compared.
    pub(crate) const fn unknown() -> PageMap {
        PageMap { table: None, distrusted: AtomicBool::new(false) }
    }

    /// Opens the table.
    pub(crate) fn open() -> PageMap {
        PageMap { table: linux::Table::open(), ..PageMap::unknown() }
    }

    /// The ranges of `memory` that may have been written to, in order; all of it where the kernel
    /// doesn't tell.
    pub(crate) fn written(&self, memory: &[u8]) -> Vec<Range<usize>> {
        let table = self.table.as_ref().filter(|_| !self.distrusted.load(Relaxed));
        let told = table.and_then(|table| table.written(memory));
        told.unwrap_or_else(|| std::iter::once(0..memory.len()).collect())
    }

    /// Compares everything from now on.
    pub(crate) fn distrust(&self) {
        tracing::warn!("/proc/self/pagemap is wrong here: rooms take longer to fall asleep");
        self.distrusted.store(true, Relaxed);
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{fs::File, ops::Range, os::unix::fs::FileExt};

    /// Bytes of one entry of the table.
    const ENTRY: usize = 8;

    /// Bytes that are read at once: 4 MiB of memory.
    const READ_AT_ONCE: usize = 8 << 10;

    // Bits of an entry, of the kernel's `admin-guide/mm/pagemap`.
    const PRESENT: u64 = 1 << 63;
    const SWAPPED: u64 = 1 << 62;
    const OF_A_FILE: u64 = 1 << 61;

    pub(super) struct Table {
        file: File,
        page_size: usize,
        /// The process whose table it is: a fork would read its parent's.
        process: u32,
    }

    impl Table {
        pub(super) fn open() -> Option<Table> {
            Some(Table {
                file: File::open("/proc/self/pagemap").ok()?,
                page_size: rustix::param::page_size(),
                process: std::process::id(),
            })
        }

        /// `None` when the table can't be read.
        pub(super) fn written(&self, memory: &[u8]) -> Option<Vec<Range<usize>>> {
            let address = memory.as_ptr().addr();
            if self.process != std::process::id() || !address.is_multiple_of(self.page_size) {
                return None;
            }
            let entries = memory.len().div_ceil(self.page_size);
            let mut ranges: Vec<Range<usize>> = Vec::new();
            let mut buffer = [0; READ_AT_ONCE];
            let mut at = 0;
            let mut place = (address / self.page_size * ENTRY) as u64;
            while at < entries {
                let wanted = (entries - at).min(READ_AT_ONCE / ENTRY) * ENTRY;
                let buffer = buffer.get_mut(..wanted)?;
                self.file.read_exact_at(buffer, place).ok()?;
                place += wanted as u64;
                for entry in buffer.as_chunks::<ENTRY>().0 {
                    if may_be_written(u64::from_ne_bytes(*entry)) {
                        let page = at * self.page_size..(at + 1) * self.page_size;
                        match ranges.last_mut() {
                            Some(last) if last.end == page.start => last.end = page.end,
                            _ => ranges.push(page),
                        }
                    }
                    at += 1;
                }
            }
            Some(ranges)
        }
    }

    /// A page that is not there was never touched; one that is a file's was only read.
    fn may_be_written(entry: u64) -> bool {
        entry & SWAPPED != 0 || (entry & PRESENT != 0 && entry & OF_A_FILE == 0)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_page_is_looked_at_unless_it_is_absent_or_a_files() {
            assert!(may_be_written(PRESENT));
            assert!(may_be_written(SWAPPED));
            assert!(may_be_written(SWAPPED | OF_A_FILE));
            assert!(!may_be_written(PRESENT | OF_A_FILE));
            assert!(!may_be_written(0));
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod linux {
    /// No other system has such a table.
    pub(super) enum Table {}

    impl Table {
        pub(super) fn open() -> Option<Table> {
            None
        }

        pub(super) fn written(&self, _: &[u8]) -> Option<Vec<std::ops::Range<usize>>> {
            match *self {}
        }
    }
}
