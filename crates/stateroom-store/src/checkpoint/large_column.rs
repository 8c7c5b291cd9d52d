//! Large files, as columns name them.

use crate::log::entry::Large;

/// How a large file is named.
pub(crate) fn encode(large: Large) -> Vec<u8> {
    let name = large.name.to_be_bytes();
    [&name[..], &large.length.to_be_bytes(), &large.check.to_be_bytes()].concat()
}

/// The same, read.
pub(crate) fn decode(bytes: &[u8]) -> Option<Large> {
    let (name, rest) = bytes.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let check = rest.first_chunk()?;
    Some(Large {
        name: u128::from_be_bytes(*name),
        length: u64::from_be_bytes(*length),
        check: u32::from_be_bytes(*check),
    })
}
