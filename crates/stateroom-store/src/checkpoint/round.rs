//! The part of the log that the checkpoint takes next: which of its entries count still, since no later one
//! of their room replaces them, and where they are.
//!
//! Of most records little counts: a room that is busy has saved a state since. So what they hold is passed over
//! as the files are read, and what counts is read at its place when it is applied. Only a file of which very
//! many entries count is held in memory.

use super::apply::Applied;
use crate::{
    StoreError, failure,
    files::{OpenFile, read_all},
    log::{
        entry::{Body, Change, Entry, Large, Place},
        layout::{HEAD_BYTES, Head},
        segment::Segment,
    },
    table::Table,
};
use std::{
    borrow::Cow,
    io,
    sync::{Arc, atomic::Ordering::Relaxed},
};

/// How many bytes of a file are read at once.
const WINDOW: usize = 16 * 1024;

/// A file is read as a whole if more than one entry counts in so many bytes.
const BYTES_FOR_AN_ENTRY: u64 = 1024;

/// See the [module](self).
pub(super) struct Round {
    files: Vec<Source>,
    /// The rooms that are yet to be applied.
    pub(super) rooms: Vec<(Arc<str>, Vec<Reference>)>,
    pub(super) modules: Vec<Reference>,
    /// Up to which record it goes, and that one's check.
    pub(super) target: u64,
    pub(super) check: u32,
    /// Large files that no row will name.
    pub(super) large: Vec<Large>,
    pub(super) has_begun: bool,
}

/// A file of the log.
struct Source {
    segment: Arc<Segment>,
    /// All of it, if much of it counts.
    whole: Option<Vec<u8>>,
}

/// Where an entry is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reference {
    place: Place,
    kind: Kind,
    file: u32,
    /// Where in the file it begins, and how many bytes it has.
    entry: (u64, u32),
    /// The same of its body, as far as that is in the record.
    body: (u64, u32),
}

/// An entry, and its body, as bytes.
pub(super) struct Fetched<'a> {
    place: Place,
    entry: Cow<'a, [u8]>,
    body: Cow<'a, [u8]>,
}

impl Fetched<'_> {
    pub(super) fn applied(&self) -> Option<Applied<'_>> {
        let (coded, _) = Entry::decode(&self.entry)?;
        Some(Applied { place: self.place, coded, body: &self.body })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Events, up to this one.
    Append {
        end: u64,
    },
    State,
    LargeState,
    Other,
}

impl Round {
    /// Reads the records after `applied` up to `target`, and gathers what counts of them by rooms.
    pub(super) fn read(
        segments: Vec<Arc<Segment>>,
        applied: u64,
        target: u64,
    ) -> Result<Self, StoreError> {
        let (files, modules, large) = (Vec::new(), Vec::new(), Vec::new());
        let rooms = Vec::new();
        let mut round = Round { files, rooms, modules, target, check: 0, large, has_begun: false };
        let mut rooms = Table::default();
        for segment in segments {
            let path = segment.path.clone();
            round
                .read_file(segment, applied, &mut rooms)
                .map_err(|error| failure::of_reading(&path, &error))?;
        }
        round.rooms = rooms.into_iter().collect();
        // Neighbours share pages of the database.
        round.rooms.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        round.read_whole_files()?;
        Ok(round)
    }

    fn read_file(
        &mut self,
        segment: Arc<Segment>,
        applied: u64,
        rooms: &mut Table<Arc<str>, Vec<Reference>>,
    ) -> io::Result<()> {
        let mut window = Window { file: &*segment.file, at: 0, bytes: Vec::new() };
        let file = u32::try_from(self.files.len()).unwrap_or(u32::MAX);
        for position in segment.from.max(applied + 1)..=segment.last().min(self.target) {
            let lost = || io::Error::other(format!("record {position} cannot be read any more"));
            let offset = segment.offset(position).ok_or_else(lost)?;
            let head = Head::read(window.get(offset, HEAD_BYTES)?, segment.header.salt());
            let (head, check) =
                head.filter(|(head, _)| head.position == position).ok_or_else(lost)?;
            self.check = check;
            let table_at = offset + HEAD_BYTES as u64;
            let bodies_at = table_at + u64::from(head.table);
            let table = window.get(table_at, head.table as usize)?;
            let mut at = 0;
            // The entries end early if one makes no sense.
            while let Some((coded, bytes)) = table.get(at as usize..).and_then(Entry::decode) {
                let bytes = u32::try_from(bytes).map_err(|_| io::ErrorKind::FileTooLarge)?;
                let (body_at, body_bytes) = coded.entry.body_here();
                let reference = Reference {
                    place: Place { position, at },
                    kind: kind(&coded.entry),
                    file,
                    entry: (table_at + u64::from(at), bytes),
                    body: (bodies_at + u64::from(body_at), body_bytes),
                };
                match coded.entry.change {
                    Change::Module { .. } => self.modules.push(reference),
                    change => match rooms.get_mut(coded.entry.room) {
                        Some(references) => {
                            drop_replaced(references, change);
                            references.push(reference);
                        }
                        None => drop(rooms.insert(coded.entry.room.into(), vec![reference])),
                    },
                }
                at += bytes;
            }
        }
        self.files.push(Source { segment, whole: None });
        Ok(())
    }

    /// Reads files at once of which much counts.
    fn read_whole_files(&mut self) -> Result<(), StoreError> {
        let mut counts = vec![0_u64; self.files.len()];
        for reference in self.rooms.iter().flat_map(|(_, references)| references) {
            if let Some(count) = counts.get_mut(reference.file as usize) {
                *count += 1;
            }
        }
        for (Source { segment, whole }, count) in self.files.iter_mut().zip(counts) {
            if count * BYTES_FOR_AN_ENTRY > segment.end.load(Relaxed) {
                let read = read_all(&*segment.file);
                *whole = Some(read.map_err(|error| failure::of_reading(&segment.path, &error))?);
            }
        }
        Ok(())
    }

    /// Reads some entries.
    pub(super) fn fetch(&self, references: &[Reference]) -> Result<Vec<Fetched<'_>>, StoreError> {
        let fetch = |reference: &Reference| {
            let source = self.files.get(reference.file as usize)?;
            let fetched = source.read(reference.entry).and_then(|entry| {
                let body = source.read(reference.body)?;
                Ok(Fetched { place: reference.place, entry, body })
            });
            Some(fetched.map_err(|error| failure::of_reading(&source.segment.path, &error)))
        };
        references.iter().filter_map(fetch).collect()
    }
}

impl Reference {
    pub(super) fn body_bytes(&self) -> usize {
        self.body.1 as usize
    }
}

impl Source {
    fn read(&self, (at, length): (u64, u32)) -> io::Result<Cow<'_, [u8]>> {
        let length = length as usize;
        if let Some(whole) = &self.whole {
            let begin = usize::try_from(at).map_err(|_| io::ErrorKind::UnexpectedEof)?;
            let bytes = whole.get(begin..).and_then(|rest| rest.get(..length));
            return bytes.map(Cow::Borrowed).ok_or(io::ErrorKind::UnexpectedEof.into());
        }
        let mut bytes = vec![0; length];
        match self.segment.file.read_at(&mut bytes, at)? {
            read if read == length => Ok(Cow::Owned(bytes)),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

fn kind(entry: &Entry<'_>) -> Kind {
    match entry.change {
        Change::Append { follows, events } => {
            Kind::Append { end: follows.saturating_add(u64::from(events)) }
        }
        Change::Snapshot { .. } => match entry.body {
            Body::Here { .. } => Kind::State,
            Body::Large(_) => Kind::LargeState,
        },
        Change::Quarantine { .. } | Change::Delete | Change::Module { .. } => Kind::Other,
    }
}

/// Drops what counts no more after `change`. Large files stay, since they have to be removed.
fn drop_replaced(references: &mut Vec<Reference>, change: Change<'_>) {
    match change {
        Change::Snapshot { at, .. } => references.retain(|reference| match reference.kind {
            Kind::Append { end } => end > at,
            Kind::State => false,
            Kind::LargeState | Kind::Other => true,
        }),
        Change::Delete => references.retain(|reference| reference.kind == Kind::LargeState),
        Change::Append { .. } | Change::Quarantine { .. } | Change::Module { .. } => {}
    }
}

/// Reads a file from its beginning to its end, but not what is passed over.
struct Window<'a> {
    file: &'a dyn OpenFile,
    at: u64,
    bytes: Vec<u8>,
}

impl Window<'_> {
    fn get(&mut self, at: u64, length: usize) -> io::Result<&[u8]> {
        if at < self.at || at + length as u64 > self.at + self.bytes.len() as u64 {
            self.bytes.resize(length.max(WINDOW), 0);
            let read = self.file.read_at(&mut self.bytes, at)?;
            self.bytes.truncate(read);
            self.at = at;
        }
        let begin = usize::try_from(at - self.at).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let wanted = self.bytes.get(begin..).and_then(|rest| rest.get(..length));
        wanted.ok_or(io::ErrorKind::UnexpectedEof.into())
    }
}
