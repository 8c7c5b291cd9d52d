//! Looks through a write-ahead log that was left behind, before SQLite does.
//!
//! SQLite takes the first frame whose checksum is wrong for the end: for a commit that was under way
//! when the machine stopped. That is right for the last commit, and wrong for one that others follow:
//! each was flushed before the next began, so it is damaged, and what was acknowledged would be
//! dropped in silence. See <https://sqlite.org/fileformat2.html#walformat>.

use std::{fs, io, path::Path};

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// The first four bytes of a log; one more where checksums take words the other way round.
const MAGIC: u32 = 0x377f_0682;

/// Whether commits follow one that cannot be read. `false` also for a file that is not there, or that
/// SQLite will see to itself.
pub(crate) fn has_a_hole(path: &Path) -> io::Result<bool> {
    match fs::read(path) {
        Ok(bytes) => Ok(look_through(&bytes).unwrap_or(false)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// `None` where there is no header and nothing that should have one.
fn look_through(bytes: &[u8]) -> Option<bool> {
    let (header, frames) = bytes.split_at_checked(HEADER)?;
    if frames.is_empty() || header.iter().all(|byte| *byte == 0) {
        return Some(false);
    }
    let big_endian = word(header, 0)?.wrapping_sub(MAGIC);
    let page = word(header, 8)? as usize;
    let salt = header.get(16..24)?;
    let sum = Sum::default().add(header.get(..24)?, big_endian == 1);
    if big_endian > 1 || !sum.is(header.get(24..32)?) || !page.is_power_of_two() || page < 512 {
        // A header is smaller than what a disk writes at once, so it is not half written.
        return Some(true);
    }
    let mut sum = Some(sum);
    let mut later_commits = 0;
    for frame in frames.chunks_exact(FRAME_HEADER + page) {
        let (header, data) = frame.split_at_checked(FRAME_HEADER)?;
        let is_of_this_log = header.get(8..16)? == salt;
        let is_commit = word(header, 4)? != 0;
        let next = sum.map(|sum| {
            sum.add(header.get(..8).unwrap_or_default(), big_endian == 1).add(data, big_endian == 1)
        });
        sum = next.filter(|sum| is_of_this_log && sum.is(header.get(16..24).unwrap_or_default()));
        if sum.is_some() || !is_of_this_log {
            continue;
        }
        if later_commits > 0 {
            // Something was written after the commit that cannot be read.
            return Some(true);
        }
        later_commits += u32::from(is_commit);
    }
    Some(false)
}

/// SQLite's own checksum, as far as it has come.
#[derive(Debug, Clone, Copy, Default)]
struct Sum(u32, u32);

impl Sum {
    fn add(mut self, bytes: &[u8], big_endian: bool) -> Sum {
        let words = bytes.as_chunks::<4>().0.iter().map(|word| match big_endian {
            true => u32::from_be_bytes(*word),
            false => u32::from_le_bytes(*word),
        });
        let mut is_first = true;
        for word in words {
            if is_first {
                self.0 = self.0.wrapping_add(word).wrapping_add(self.1);
            } else {
                self.1 = self.1.wrapping_add(word).wrapping_add(self.0);
            }
            is_first = !is_first;
        }
        self
    }

    fn is(self, bytes: &[u8]) -> bool {
        word(bytes, 0) == Some(self.0) && word(bytes, 4) == Some(self.1)
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.first_chunk().map(|word| u32::from_be_bytes(*word))
}
