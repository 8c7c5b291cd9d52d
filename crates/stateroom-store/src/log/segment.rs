//! A file of the log, to be read at known places.

use super::{
    entry::{Entry, Place},
    layout::{HEAD_BYTES, Header, u32_at},
};
use crate::{files::OpenFile, lock::lock};
use std::{
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

/// How much is read at once: enough for most records.
const CHUNK: usize = 4096;

/// A file of the log.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) header: Header,
    /// The position of the first record that is known of.
    pub(crate) from: u64,
    pub(crate) path: PathBuf,
    pub(crate) file: Arc<dyn OpenFile>,
    /// Where its records begin, in units of 8 bytes, from that of `from` on.
    offsets: Mutex<Vec<u32>>,
    /// Where the next record begins.
    pub(crate) end: AtomicU64,
    /// How many bytes the large files have that its records name.
    pub(crate) large: AtomicU64,
    /// Whether its header is known to be on the disk.
    pub(crate) header_flushed: AtomicBool,
}

impl Segment {
    pub(crate) fn new(header: Header, path: PathBuf, file: Arc<dyn OpenFile>, end: u64) -> Self {
        Segment {
            header,
            from: header.first,
            path,
            file,
            offsets: Mutex::default(),
            end: AtomicU64::new(end),
            large: AtomicU64::new(0),
            header_flushed: AtomicBool::new(false),
        }
    }

    /// Notes where the next record begins.
    pub(crate) fn push(&self, offset: u64) {
        lock(&self.offsets).push(u32::try_from(offset / 8).unwrap_or(u32::MAX));
    }

    /// How many records it has.
    pub(crate) fn records(&self) -> u64 {
        lock(&self.offsets).len() as u64
    }

    /// The position of its last record; one before its first if it has none.
    pub(crate) fn last(&self) -> u64 {
        (self.from + self.records()).saturating_sub(1)
    }

    /// How many bytes it has, with the large files that it names.
    pub(crate) fn bytes(&self) -> u64 {
        self.end.load(Relaxed) + self.large.load(Relaxed)
    }

    /// Where the record of that position begins.
    pub(crate) fn offset(&self, position: u64) -> Option<u64> {
        let place = usize::try_from(position.checked_sub(self.from)?).ok()?;
        lock(&self.offsets).get(place).map(|offset| u64::from(*offset) * 8)
    }

    /// Reads the entry at `place`, and has `see` look at it and its body (that which is here).
    pub(crate) fn read<T>(
        &self,
        place: Place,
        see: impl FnOnce(&super::entry::Coded<'_>, &[u8]) -> T,
    ) -> io::Result<Option<T>> {
        let Some(offset) = self.offset(place.position) else { return Ok(None) };
        let mut bytes = vec![0; CHUNK];
        let read = self.file.read_at(&mut bytes, offset)?;
        bytes.truncate(read);
        let Some(table) = u32_at(&bytes, 36) else { return Ok(None) };
        let table_end = HEAD_BYTES + table as usize;
        let entry_at = HEAD_BYTES + place.at as usize;
        let mut own_table = Vec::new();
        let table = match bytes.get(entry_at..table_end.min(bytes.len())) {
            Some(table) if table_end <= bytes.len() || Entry::decode(table).is_some() => table,
            _ if entry_at >= table_end || table_end > 1 << 30 => return Ok(None),
            _ => {
                // An entry is rarely longer than a chunk.
                own_table.resize((table_end - entry_at).min(CHUNK), 0);
                self.read_exactly(&mut own_table, offset + entry_at as u64)?;
                if Entry::decode(&own_table).is_none() {
                    own_table.resize(table_end - entry_at, 0);
                    self.read_exactly(&mut own_table, offset + entry_at as u64)?;
                }
                &own_table
            }
        };
        let Some((coded, _)) = Entry::decode(table) else { return Ok(None) };
        let (at, length) = coded.entry.body_here();
        let body_at = table_end + at as usize;
        if let Some(body) = bytes.get(body_at..body_at + length as usize) {
            return Ok(Some(see(&coded, body)));
        }
        // What is damaged may name any length.
        if length as usize > CHUNK
            && offset + body_at as u64 + u64::from(length) > self.file.length()?
        {
            return Ok(None);
        }
        let mut body = vec![0; length as usize];
        let read = self.file.read_at(&mut body, offset + body_at as u64)?;
        Ok((read == body.len()).then(|| see(&coded, &body)))
    }

    fn read_exactly(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        let wanted = bytes.len();
        match self.file.read_at(bytes, at)? {
            read if read == wanted => Ok(()),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}
