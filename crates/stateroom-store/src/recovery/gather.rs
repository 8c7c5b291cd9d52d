//! Gathers what a log says into the index, and which of its files go on to count.

use super::chain::{Chain, LogFile};
use crate::{
    index::Index,
    log::{
        entry::{Body, Place},
        segment::Segment,
    },
};
use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering::Relaxed},
};

/// The index, the files up to position `below`, and how many bytes are in large ones that the log names.
pub(crate) fn gather(
    found: &[LogFile],
    chain: &Chain,
    below: u64,
) -> (Index, VecDeque<Arc<Segment>>, u64) {
    let mut index = Index::default();
    let mut segments: VecDeque<Arc<Segment>> = VecDeque::new();
    let mut large_bytes = 0;
    let mut current: Option<(usize, Segment)> = None;
    for (place, at) in chain.records.iter().enumerate() {
        let position = chain.from + place as u64;
        let Some(record) = chain.record(found, *at) else { continue };
        let mut large = 0;
        for (entry_at, coded) in record.entries() {
            index.found(&coded.entry, Place { position, at: entry_at });
            if let Body::Large(it) = coded.entry.body {
                large += it.length;
            }
        }
        large_bytes += large;
        if position >= below {
            continue;
        }
        if current.as_ref().is_none_or(|(file, _)| *file != at.file) {
            segments.extend(current.take().map(|(_, segment)| Arc::new(segment)));
            current = segment_of(found, chain, at.file, position).map(|segment| (at.file, segment));
        }
        if let Some((_, segment)) = &current {
            segment.push(at.offset as u64);
            segment.end.store(record.end() as u64, Relaxed);
            segment.large.fetch_add(large, Relaxed);
        }
    }
    segments.extend(current.map(|(_, segment)| Arc::new(segment)));
    (index, segments, large_bytes)
}

fn segment_of(found: &[LogFile], chain: &Chain, file: usize, from: u64) -> Option<Segment> {
    let header = chain.headers.get(file).copied().flatten()?;
    let log = found.get(file)?;
    let mut segment = Segment::new(header, log.path.clone(), log.file.clone(), 0);
    segment.from = from;
    segment.header_flushed.store(true, Relaxed);
    Some(segment)
}
