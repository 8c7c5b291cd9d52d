//! Appends records to the log: one vectored write each, and one flush for all that were appended since the
//! last. Switches to the next file when one is large enough.

use super::{
    compose::Composed,
    layout::{ALIGNMENT, FILLING, HEADER_BYTES, Header},
    segment::Segment,
};
use crate::{
    Durability, StoreError, failure,
    faults::{Deliberate, is_on},
    files::write_all,
    shared::{NextFile, Shared},
};
use std::{
    io::{self, IoSlice},
    sync::{
        Arc,
        atomic::Ordering::{Relaxed, Release},
    },
};

/// A file with less space than this part of it is nearly full. Busy rooms save their states then, so that
/// little of what they say is copied to the checkpoint: what they still say meanwhile is.
const NEARLY_FULL: u64 = 16;

/// How much space is taken ahead in the file that is written to.
const AHEAD: u64 = 4 << 20;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Writer {
    shared: Arc<Shared>,
    current: Arc<Segment>,
    /// The position of the next record.
    pub(crate) next: u64,
    /// The check of the record before that.
    before: u32,
    /// Where the space ends that was taken ahead.
    allocated: u64,
    /// How many files came so near to their end that rooms should save their states.
    pub(crate) states_wanted: u64,
    /// Whether that is so of the one that is written to.
    is_nearly_full: bool,
    /// The fewest rooms of which the index has told since the file was begun.
    fewest_rooms: usize,
    /// Files that were written to since the last flush.
    dirty: Vec<Arc<Segment>>,
    boot: [u8; 16],
}

impl Writer {
    /// Goes on in the newest file, whose records end with position `last` and the check `before`.
    pub(crate) fn new(shared: Arc<Shared>, last: u64, before: u32, boot: [u8; 16]) -> Option<Self> {
        let current = shared.lock().segments.back()?.clone();
        let allocated = current.end.load(Relaxed);
        let next = last + 1;
        Some(Writer {
            shared,
            current,
            next,
            before,
            allocated,
            states_wanted: 0,
            is_nearly_full: false,
            fewest_rooms: usize::MAX,
            dirty: Vec::new(),
            boot,
        })
    }

    /// Hands over a record. An error says that it was not, and that the next one can be tried.
    pub(crate) fn append(&mut self, record: &Composed<'_>) -> Result<(), StoreError> {
        let bytes = record.bytes();
        let next = self.next_file(bytes)?;
        let durable = self.shared.flushed.load(Relaxed);
        let (header, segment, offset) = match &next {
            Some(next) => {
                let header = self.header(next.number, durable);
                let (path, file) = (next.path.clone(), next.file.clone());
                let segment = Segment::new(header, path, file, HEADER_BYTES as u64);
                (Some(header.to_bytes()), Arc::new(segment), HEADER_BYTES as u64)
            }
            None => (None, self.current.clone(), self.current.end.load(Relaxed)),
        };
        let end = offset + bytes;
        let (head, check) = record.head(segment.header.salt(), self.before, durable);
        if next.is_none() {
            self.take_space(end);
        }
        let written = write(&segment, header.as_ref(), &head, record, offset);
        if let Err(error) = written {
            // What was written of it is written over by the next one.
            if let Some(next) = next {
                self.shared.lock().next = Some(next);
            }
            return Err(failure::of_writing(&segment.path, &error));
        }
        segment.push(offset);
        segment.end.store(end, Release);
        segment.large.fetch_add(record.large, Relaxed);
        let mut state = self.shared.lock();
        if next.is_some() {
            state.segments.push_back(segment.clone());
            self.allocated = end.max(AHEAD.min(self.shared.options.segment_bytes));
            self.current = segment;
            self.is_nearly_full = false;
            self.fewest_rooms = state.index.room_count();
            self.shared.wake.notify_all();
        }
        state.index.take(record);
        drop(state);
        let segment_bytes = self.shared.options.segment_bytes;
        if !self.is_nearly_full
            && self.current.bytes() >= segment_bytes - segment_bytes / NEARLY_FULL
        {
            self.is_nearly_full = true;
            self.states_wanted += 1;
        }
        if self.shared.durability == Durability::Synced
            && self.dirty.last().is_none_or(|last| !Arc::ptr_eq(last, &self.current))
        {
            if is_on(Deliberate::SwitchWithoutFlush) {
                self.dirty.clear();
            }
            self.dirty.push(self.current.clone());
        }
        self.next += 1;
        self.before = check;
        Ok(())
    }

    fn header(&self, number: u64, durable: u64) -> Header {
        Header {
            id: self.shared.id,
            number,
            first: self.next,
            before: self.before,
            durable,
            durability: self.shared.durability,
            boot: self.boot,
            epoch: self.shared.epoch,
        }
    }

    /// The file to switch to before a record of so many bytes, if it is time.
    fn next_file(&mut self, bytes: u64) -> Result<Option<NextFile>, StoreError> {
        let segment_bytes = self.shared.options.segment_bytes;
        let mut state = self.shared.lock();
        state.check_open()?;
        let rooms = state.index.room_count();
        self.fewest_rooms = self.fewest_rooms.min(rooms);
        let is_full = self.current.records() > 0
            && (self.current.bytes() >= segment_bytes
                || rooms - self.fewest_rooms >= self.shared.options.rooms_a_file
                || self.current.end.load(Relaxed) + bytes > 2 * segment_bytes);
        if !is_full {
            return Ok(None);
        }
        let next = state.next.take();
        drop(state);
        match next {
            Some(next) if next.number > self.current.header.number => return Ok(Some(next)),
            // One was needed sooner; this one came too late in their order.
            Some(late) => drop(self.shared.files.remove(&late.path)),
            None => {}
        }
        self.shared.wake.notify_all();
        let too_much = self.current.end.load(Relaxed) + bytes > 2 * segment_bytes;
        if self.shared.options.thread && !too_much {
            return Ok(None);
        }
        match make_next(&self.shared) {
            Ok(next) => Ok(Some(next)),
            Err(error @ StoreError::Failed { .. }) => Err(error),
            Err(error) if too_much => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// Takes space before there is something to write, so that a flush has less to do.
    fn take_space(&mut self, end: u64) {
        if self.shared.durability == Durability::Synced && end > self.allocated {
            let wanted = end + AHEAD.min(self.shared.options.segment_bytes / 4);
            // If there is none, the write says so.
            if self.current.file.allocate(wanted).is_ok() {
                self.allocated = wanted;
            }
        }
    }

    /// Flushes all that was appended.
    pub(crate) fn flush(&mut self) -> Result<(), StoreError> {
        for segment in self.dirty.drain(..) {
            let flushed = segment.file.flush();
            flushed.map_err(|error| failure::of_flushing(&segment.path, &error))?;
            segment.header_flushed.store(true, Relaxed);
        }
        self.shared.flushed.fetch_max(self.next - 1, Relaxed);
        Ok(())
    }

    /// Begins a file that stays empty, so that no other is needed when the checkpoint has all.
    pub(crate) fn begin_last(&mut self) -> Result<(), StoreError> {
        if self.current.records() == 0 {
            return Ok(());
        }
        let next = self.shared.lock().next.take();
        let next = next.filter(|next| next.number > self.current.header.number);
        let next = next.map_or_else(|| make_next(&self.shared), Ok)?;
        let header = self.header(next.number, self.shared.flushed.load(Relaxed));
        let written = write_all(&*next.file, &mut [IoSlice::new(&header.to_bytes())], 0)
            .and_then(|()| self.current.file.flush())
            .and_then(|()| next.file.truncate(HEADER_BYTES as u64))
            .and_then(|()| next.file.flush());
        written.map_err(|error| self.shared.fail(failure::of_flushing(&next.path, &error)))?;
        let segment = Segment::new(header, next.path, next.file, HEADER_BYTES as u64);
        segment.header_flushed.store(true, Relaxed);
        self.current = Arc::new(segment);
        self.shared.lock().segments.push_back(self.current.clone());
        Ok(())
    }

    /// What a server of ours did that took back what it could not flush.
    #[cfg(feature = "faults")]
    pub(crate) fn take_back(&mut self, record_end: u64) {
        let _ = self.current.file.truncate(record_end);
    }

    /// Where the file ends.
    #[cfg(feature = "faults")]
    pub(crate) fn end(&self) -> u64 {
        self.current.end.load(Relaxed)
    }
}

fn write(
    segment: &Segment,
    header: Option<&[u8; HEADER_BYTES]>,
    head: &[u8],
    record: &Composed<'_>,
    offset: u64,
) -> io::Result<()> {
    let mut parts = Vec::with_capacity(record.bodies.len() + 4);
    parts.extend(header.map(|header| IoSlice::new(header)));
    parts.push(IoSlice::new(head));
    parts.push(IoSlice::new(&record.table));
    parts.extend(record.bodies.iter().map(|body| IoSlice::new(body)));
    let bytes: usize = parts.iter().map(|part| part.len()).sum();
    let filling = (bytes + 1).next_multiple_of(ALIGNMENT) - bytes;
    parts.push(IoSlice::new(FILLING.get(..filling).unwrap_or(&FILLING)));
    let at = if header.is_some() { 0 } else { offset };
    write_all(&*segment.file, &mut parts, at)
}

/// Makes a file ahead, with its name on the disk. What fails is tried again, except a flush.
pub(crate) fn make_next(shared: &Shared) -> Result<NextFile, StoreError> {
    let mut state = shared.lock();
    state.check_open()?;
    let number = match is_on(Deliberate::FilesNamedByPosition) {
        true => state.segments.back().map_or(1, |last| last.last() + 1),
        false => state.next_number,
    };
    // Never used again, whatever becomes of it.
    state.next_number = number + 1;
    drop(state);
    let folder = shared.log_folder();
    let path = folder.join(file_name(number));
    let file = shared.files.create(&path, is_on(Deliberate::FilesNamedByPosition));
    let file = file.map_err(|error| failure::of_writing(&path, &error))?;
    if shared.durability == Durability::Synced {
        // If there is no space, writing says so.
        let _ = file.allocate(AHEAD.min(shared.options.segment_bytes));
    }
    if !is_on(Deliberate::NextFolderNotFlushed)
        && let Err(error) = shared.files.flush_folder(&folder)
    {
        return Err(shared.fail(failure::of_flushing(&folder, &error)));
    }
    Ok(NextFile { number, path, file })
}

/// How a file of the log is called.
pub(crate) fn file_name(number: u64) -> String {
    format!("{number:016}.log")
}
