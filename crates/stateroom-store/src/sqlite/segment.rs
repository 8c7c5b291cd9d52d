//! One file of the log, as bytes: rows one after the other, each of which holds what one commit has
//! appended. Nothing here writes, or knows what the rows are for.

use super::{
    checksum,
    index::RowPlace,
    table_of_contents::{self, Entry},
};
use std::{
    fs::File,
    io::{self, BufReader, Read as _, Seek as _, SeekFrom},
    path::Path,
};

/// How a file begins; the last byte is the version of what follows.
const MAGIC: [u8; 8] = *b"SRoomLg\x01";

/// How many bytes a file has before its first row.
pub(crate) const HEADER_BYTES: usize = 32;

/// How many bytes a row has before its table of contents.
pub(crate) const HEAD_BYTES: usize = 24;

/// What a file tells of itself at its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// The position of its first row.
    pub(crate) first: i64,
    /// Goes into the checksums of the rows' heads, so that nothing a client says can pass for one.
    pub(crate) salt: u64,
}

impl Header {
    pub(crate) fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let [magic, first, salt, check] = parts(&mut bytes, [8, 8, 8, 4]);
        magic.copy_from_slice(&MAGIC);
        first.copy_from_slice(&self.first.to_le_bytes());
        salt.copy_from_slice(&self.salt.to_le_bytes());
        check.copy_from_slice(&checksum::segment(self.first, self.salt).to_le_bytes());
        bytes
    }

    fn read(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        let (magic, rest) = bytes.split_first_chunk()?;
        let (first, rest) = rest.split_first_chunk()?;
        let (salt, rest) = rest.split_first_chunk()?;
        let (first, salt) = (i64::from_le_bytes(*first), u64::from_le_bytes(*salt));
        let check = u32::from_le_bytes(*rest.first_chunk()?);
        let is_whole = *magic == MAGIC && check == checksum::segment(first, salt);
        is_whole.then_some(Self { first, salt })
    }
}

/// How a row begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) position: i64,
    /// How many bytes its table of contents has, which is there twice.
    pub(crate) contents: u32,
    /// And its bodies, which are between the two.
    pub(crate) bodies: u32,
    /// The checksum of the bodies as a whole.
    pub(crate) check_bodies: u32,
}

impl Head {
    pub(crate) fn to_bytes(self, salt: u64) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        let [position, contents, bodies, check_bodies, check] = parts(&mut bytes, [8, 4, 4, 4, 4]);
        position.copy_from_slice(&self.position.to_le_bytes());
        contents.copy_from_slice(&self.contents.to_le_bytes());
        bodies.copy_from_slice(&self.bodies.to_le_bytes());
        check_bodies.copy_from_slice(&self.check_bodies.to_le_bytes());
        check.copy_from_slice(&self.check(salt).to_le_bytes());
        bytes
    }

    fn read(bytes: &[u8], salt: u64) -> Option<Self> {
        let (position, rest) = bytes.split_first_chunk()?;
        let (contents, rest) = rest.split_first_chunk()?;
        let (bodies, rest) = rest.split_first_chunk()?;
        let (check_bodies, rest) = rest.split_first_chunk()?;
        let head = Self {
            position: i64::from_le_bytes(*position),
            contents: u32::from_le_bytes(*contents),
            bodies: u32::from_le_bytes(*bodies),
            check_bodies: u32::from_le_bytes(*check_bodies),
        };
        let check = u32::from_le_bytes(*rest.first_chunk()?);
        (check == head.check(salt)).then_some(head)
    }

    fn check(self, salt: u64) -> u32 {
        let Self { position, contents, bodies, check_bodies } = self;
        checksum::row_head(salt, position, contents, bodies, check_bodies)
    }

    /// How many bytes the row has.
    pub(crate) fn row_bytes(self) -> u64 {
        HEAD_BYTES as u64 + 2 * u64::from(self.contents) + u64::from(self.bodies)
    }
}

/// Cuts `bytes` into parts of these lengths.
fn parts<const N: usize>(mut bytes: &mut [u8], lengths: [usize; N]) -> [&mut [u8]; N] {
    lengths.map(|length| {
        let (part, rest) = std::mem::take(&mut bytes).split_at_mut(length);
        bytes = rest;
        part
    })
}

/// A row that was found.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) head: Head,
    pub(crate) entries: Vec<Entry>,
    /// Where in the file it begins.
    pub(crate) at: u64,
}

impl Row {
    pub(crate) fn place(&self) -> RowPlace {
        let Head { contents, bodies, .. } = self.head;
        RowPlace { bodies_at: self.at + HEAD_BYTES as u64 + u64::from(contents), bodies, contents }
    }
}

/// Reads the rows of a file in order.
pub(crate) struct Rows {
    pub(crate) header: Header,
    file: BufReader<File>,
    /// Where it has come to in the file, and how long that was at first.
    pub(crate) at: u64,
    pub(crate) length: u64,
    /// The position of the next row.
    next: i64,
}

impl Rows {
    /// The rows of the file at `path`; `None` if its header is not whole.
    pub(crate) fn open(path: &Path) -> io::Result<Option<Self>> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut file = BufReader::with_capacity(64 * 1024, file);
        let mut header = [0; HEADER_BYTES];
        if length < HEADER_BYTES as u64 {
            return Ok(None);
        }
        file.read_exact(&mut header)?;
        Ok(Header::read(&header).map(|header| Self {
            header,
            file,
            at: HEADER_BYTES as u64,
            length,
            next: header.first,
        }))
    }

    /// The next row; `None` where there is none that is whole, as at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Row>> {
        let mut head = [0; HEAD_BYTES];
        if self.length.saturating_sub(self.at) < HEAD_BYTES as u64 {
            return Ok(None);
        }
        self.file.read_exact(&mut head)?;
        let head = Head::read(&head, self.header.salt).filter(|head| head.position == self.next);
        let Some(head) = head.filter(|head| head.row_bytes() <= self.length - self.at) else {
            return Ok(None);
        };
        let mut contents = vec![0; head.contents as usize];
        self.file.read_exact(&mut contents)?;
        self.file.seek_relative(i64::from(head.bodies))?;
        let mut entries = table_of_contents::decode(head.position, &contents);
        if entries.is_none() {
            self.file.read_exact(&mut contents)?;
            entries = table_of_contents::decode(head.position, &contents);
        } else {
            self.file.seek_relative(i64::from(head.contents))?;
        }
        let fit = |entries: &Vec<Entry>| {
            let lengths = entries.iter().map(|entry| u64::from(entry.length));
            lengths.sum::<u64>() == u64::from(head.bodies)
        };
        let Some(entries) = entries.filter(fit) else { return Ok(None) };
        let row = Row { head, entries, at: self.at };
        self.at += head.row_bytes();
        self.next = self.next.saturating_add(1);
        Ok(Some(row))
    }

    /// Whether the bodies of a row are as they were written.
    pub(crate) fn has_bodies(&mut self, row: &Row) -> io::Result<bool> {
        let mut bodies = vec![0; row.head.bodies as usize];
        self.file.seek(SeekFrom::Start(row.place().bodies_at))?;
        self.file.read_exact(&mut bodies)?;
        self.file.seek(SeekFrom::Start(self.at))?;
        Ok(checksum::bodies([&bodies[..]]) == row.head.check_bodies)
    }

    /// Whether there is a later row behind what cannot be read here.
    pub(crate) fn has_more(&mut self) -> io::Result<bool> {
        let mut rest = Vec::new();
        self.file.seek(SeekFrom::Start(self.at))?;
        self.file.read_to_end(&mut rest)?;
        // Most of it is space that was taken before there was something to write.
        let zeroes = rest.iter().rev().take_while(|byte| **byte == 0).count();
        rest.truncate((rest.len() - zeroes + HEAD_BYTES).min(rest.len()));
        let is_later = |bytes: &[u8]| {
            let position = bytes.first_chunk().map_or(0, |position| i64::from_le_bytes(*position));
            position > self.next && Head::read(bytes, self.header.salt).is_some()
        };
        Ok(rest.windows(HEAD_BYTES).any(is_later))
    }
}

/// The entries of the row of `position` in `file`, or `None` if both tables of contents are damaged.
pub(crate) fn entries(
    file: &File,
    position: i64,
    place: RowPlace,
) -> io::Result<Option<Vec<Entry>>> {
    let RowPlace { bodies_at, bodies, contents } = place;
    let mut bytes = vec![0; contents as usize];
    read_at(file, &mut bytes, bodies_at.saturating_sub(u64::from(contents)))?;
    if let Some(entries) = table_of_contents::decode(position, &bytes) {
        return Ok(Some(entries));
    }
    read_at(file, &mut bytes, bodies_at + u64::from(bodies))?;
    Ok(table_of_contents::decode(position, &bytes))
}

/// Reads from `file` at `offset`, which other readers of it don't notice.
pub(crate) fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset);
    #[cfg(windows)]
    {
        let (mut bytes, mut offset) = (bytes, offset);
        while !bytes.is_empty() {
            let read = std::os::windows::fs::FileExt::seek_read(file, bytes, offset)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            bytes = bytes.get_mut(read..).unwrap_or_default();
            offset += read as u64;
        }
        Ok(())
    }
}
