//! The part of the log that the checkpoint takes next: which of its entries count still, since no later one
//! of their room replaces them, and where they are.
//!
//! Of most records little counts: a room that is busy has saved a state since. So what they hold is passed over
//! as the files are read, and read when it is applied.

use super::apply::Applied;
use crate::{
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
    path::PathBuf,
    sync::{Arc, atomic::Ordering::Relaxed},
};

/// How many bytes of a file are read at once.
const WINDOW: usize = 16 * 1024;

/// To read as many of an entry's own takes about as long as to read one entry at its place.
const BYTES_FOR_ONE_PLACE: usize = 4 * 1024;

/// A file that cannot be read, and why.
type Unreadable = (PathBuf, io::Error);

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
    /// The tables of contents of its records, one after the other.
    tables: Vec<u8>,
    /// All of it, if much of it counts.
    whole: Option<Vec<u8>>,
}

/// Where an entry is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reference {
    file: u32,
    /// Where in the tables of that file it begins.
    entry: u32,
    /// Where in the file the bodies of its record begin.
    bodies: u64,
    place: Place,
    kind: Kind,
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
    ) -> Result<Self, Unreadable> {
        let (files, modules, large) = (Vec::new(), Vec::new(), Vec::new());
        let rooms = Vec::new();
        let mut round = Round { files, rooms, modules, target, check: 0, large, has_begun: false };
        let mut rooms = Table::default();
        for segment in segments {
            let path = segment.path.clone();
            round.read_file(segment, applied, &mut rooms).map_err(|error| (path, error))?;
        }
        round.rooms = rooms.into_iter().collect();
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
        let mut tables = Vec::new();
        let file = u32::try_from(self.files.len()).unwrap_or(u32::MAX);
        for position in segment.from.max(applied + 1)..=segment.last().min(self.target) {
            let lost = || io::Error::other(format!("record {position} cannot be read any more"));
            let offset = segment.offset(position).ok_or_else(lost)?;
            let head = Head::read(window.get(offset, HEAD_BYTES)?, segment.header.salt());
            let (head, check) =
                head.filter(|(head, _)| head.position == position).ok_or_else(lost)?;
            self.check = check;
            let table_at = offset + HEAD_BYTES as u64;
            let bodies = table_at + u64::from(head.table);
            let begin = tables.len();
            tables.extend_from_slice(window.get(table_at, head.table as usize)?);
            let mut at = begin;
            // The entries end early if one makes no sense.
            while let Some((coded, bytes)) = tables.get(at..).and_then(Entry::decode) {
                let entry = u32::try_from(at).map_err(|_| io::ErrorKind::FileTooLarge)?;
                let place = u32::try_from(at - begin).map_err(|_| io::ErrorKind::FileTooLarge)?;
                let place = Place { position, at: place };
                let reference = Reference { file, entry, bodies, place, kind: kind(&coded.entry) };
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
        self.files.push(Source { segment, tables, whole: None });
        Ok(())
    }

    /// Reads files at once of which much counts.
    fn read_whole_files(&mut self) -> Result<(), Unreadable> {
        let mut counts = vec![0_usize; self.files.len()];
        for reference in self.rooms.iter().flat_map(|(_, references)| references) {
            if let Some(count) = counts.get_mut(reference.file as usize) {
                *count += BYTES_FOR_ONE_PLACE;
            }
        }
        for (source, bytes) in self.files.iter_mut().zip(counts) {
            let Source { segment, whole, .. } = source;
            if bytes as u64 >= segment.end.load(Relaxed) {
                let read = read_all(&*segment.file);
                *whole = Some(read.map_err(|error| (segment.path.clone(), error))?);
            }
        }
        Ok(())
    }

    /// The entry there, with its body.
    pub(super) fn applied(&self, reference: &Reference) -> Result<Option<Applied<'_>>, Unreadable> {
        let source = self.files.get(reference.file as usize);
        let decoded = source.and_then(|source| {
            Some((source, Entry::decode(source.tables.get(reference.entry as usize..)?)?))
        });
        let Some((source, (coded, _))) = decoded else { return Ok(None) };
        let (at, length) = coded.entry.body_here();
        let body = source
            .body(reference.bodies + u64::from(at), length as usize)
            .map_err(|error| (source.segment.path.clone(), error))?;
        Ok(Some(Applied { place: reference.place, coded, body }))
    }

    /// How many bytes its body has.
    pub(super) fn body_bytes(&self, reference: &Reference) -> usize {
        let source = self.files.get(reference.file as usize);
        let table = source.and_then(|source| source.tables.get(reference.entry as usize..));
        let coded = table.and_then(Entry::decode);
        coded.map_or(0, |(coded, _)| coded.entry.body_here().1 as usize)
    }
}

impl Source {
    fn body(&self, at: u64, length: usize) -> io::Result<Cow<'_, [u8]>> {
        if let Some(whole) = &self.whole {
            let begin = usize::try_from(at).map_err(|_| io::ErrorKind::UnexpectedEof)?;
            let body = whole.get(begin..).and_then(|rest| rest.get(..length));
            return body.map(Cow::Borrowed).ok_or(io::ErrorKind::UnexpectedEof.into());
        }
        let mut body = vec![0; length];
        match self.segment.file.read_at(&mut body, at)? {
            read if read == length => Ok(Cow::Owned(body)),
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
