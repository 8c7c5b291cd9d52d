//! What a room keeps that is to outlive its process: the records of what it has heard, and which of
//! its commands wait until those are durable.

use crate::{
    event::Event,
    outbox::Mark,
    record::{Record, Records},
    timestamp::Timestamp,
};
use stateroom::Birth;

/// How much space is taken at most for records that are yet to come, in bytes.
const KEPT_CAPACITY: usize = 64 * 1024;

/// The journal of one room, as far as nobody has taken it yet.
#[derive(Debug)]
pub(crate) struct Journal {
    /// How the room began, while it has heard nothing.
    pub(crate) beginning: Option<Beginning>,
    /// How many events the room has heard in its life.
    pub(crate) events: u64,
    /// Whether it keeps records, and commands wait for them.
    pub(crate) records_events: bool,
    /// The records of the last of them.
    records: Vec<u8>,
    recorded: u32,
    /// Commands up to here may be carried out.
    pub(crate) released: Mark,
    /// Commands up to here may be once the records that were submitted are durable.
    submitted: Option<Mark>,
}

/// All that a room is at its birth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Beginning {
    pub(crate) birth: Birth,
    /// Of the commands that it caused.
    pub(crate) digest: u32,
}

impl Journal {
    /// The journal of a room that has heard so many events.
    pub(crate) fn new(beginning: Option<Beginning>, events: u64) -> Self {
        Journal {
            beginning,
            events,
            records_events: true,
            records: Vec::new(),
            recorded: 0,
            released: Mark::default(),
            submitted: None,
        }
    }

    /// Notes an event that the room has heard at the time `now`, the one before at `before`.
    pub(crate) fn note(
        &mut self,
        event: Event<'_>,
        before: Timestamp,
        now: Timestamp,
        digest: u32,
    ) {
        let after = now.microseconds().saturating_sub(before.microseconds());
        Record { after, event, digest }.write(&mut self.records);
        self.recorded += 1;
        self.skip();
    }

    /// Notes an event whose record is kept already.
    pub(crate) fn skip(&mut self) {
        self.events += 1;
        self.beginning = None;
    }

    /// How many bytes of records nobody has taken.
    pub(crate) fn pending(&self) -> usize {
        self.records.len()
    }

    /// Whether what was submitted has yet to become durable.
    pub(crate) fn is_waiting(&self) -> bool {
        self.submitted.is_some()
    }

    /// Takes the records. The commands up to `end` wait for them.
    pub(crate) fn submit(&mut self, end: Mark) -> Records {
        let events = std::mem::take(&mut self.recorded);
        self.submitted = Some(end);
        // As many again are likely to come, and growing step by step would copy them over and over.
        let next = Vec::with_capacity(self.records.len().min(KEPT_CAPACITY));
        Records {
            follows: self.events - u64::from(events),
            events,
            bytes: std::mem::replace(&mut self.records, next),
        }
    }

    /// Gives back what is kept for later records.
    pub(crate) fn shrink(&mut self) {
        self.records.shrink_to_fit();
    }

    /// Lets go of the commands that waited for what was submitted.
    pub(crate) fn release(&mut self) {
        if let Some(mark) = self.submitted.take() {
            self.released = mark;
        }
    }

    /// Notes that the commands that were let go are gone.
    pub(crate) fn drained(&mut self) {
        let gone = std::mem::take(&mut self.released);
        if let Some(mark) = &mut self.submitted {
            *mark = mark.without(gone);
        }
    }
}
